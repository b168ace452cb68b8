/** Who runs the server that a connection string names, as far as its host tells. */
export type ConnectionProvider =
  | 'supabase-shared'
  | 'supabase-dedicated'
  | 'supabase-direct'
  | 'neon-pooler'
  | 'neon-direct'
  | 'hyperdrive'
  | 'loopback'
  | 'other'

/** How the server behind a connection string shares its connections. */
export type ConnectionMode = 'transaction' | 'session' | 'direct' | 'unknown'

/** The parts that a {@link ConnectionTarget} is made of, decoded; the only shape with a bare password. */
export interface ConnectionParts {
  host: string
  port: number
  user: string
  password: string
  database: string
  applicationName?: string
  sslMode?: string
  sslNegotiation?: string
  /** The project that `options=reference=…` names; it completes the user on a shared pooler. */
  reference?: string
  ignored: readonly string[]
}

/**
 * What a connection string says, without ever showing its password.
 *
 * Printing, inspecting, spreading, cloning and serialising the target leave the password out;
 * `revealPassword` alone gives it. Provider and mode are told from host and port: a pooler behind a
 * name of your own is `other` and `unknown`.
 *
 * @see https://supabase.com/docs/guides/database/connecting-to-postgres
 *
 * @example
 * ```ts
 * import { parseConnectionString } from 'nullpool'
 *
 * const target = parseConnectionString('postgres://u.ref:pw@aws-0-eu-west-1.pooler.supabase.com:6543')
 * target.mode // 'transaction'
 * target.projectRef // 'ref'
 * JSON.stringify(target) // '"postgres://u.ref:***@aws-0-eu-west-1.pooler.supabase.com:6543/postgres"'
 * ```
 */
export class ConnectionTarget {
  /** A name, an IPv4 or an IPv6 address without brackets, in lower case. */
  readonly host: string
  readonly port: number
  /** As the pooler expects it: `<role>.<ref>` on Supabase's shared pooler. */
  readonly user: string
  readonly database: string
  readonly provider: ConnectionProvider
  readonly mode: ConnectionMode
  /** The project of Supabase, where user, host or options name it. */
  declare readonly projectRef?: string
  declare readonly applicationName?: string
  declare readonly sslMode?: string
  /** `direct` where the server is said to take TLS without being asked (libpq's `sslnegotiation`). */
  declare readonly sslNegotiation?: string
  /** Parameters that are not sent: servers and poolers refuse what they do not know. */
  readonly ignored: readonly string[]
  readonly #password: string

  /** Takes decoded parts; `parseConnectionString` makes them from text. */
  constructor(parts: ConnectionParts) {
    const { host, port, reference } = parts
    this.host = host
    this.port = port
    this.provider = providerOf(host, port)
    this.mode = modeOf(this.provider, port)
    this.user = this.provider === 'supabase-shared' ? withRef(parts.user, reference) : parts.user
    this.database = parts.database
    const projectRef = refOf(this.provider, host, this.user)
    if (projectRef !== undefined) this.projectRef = projectRef
    if (parts.applicationName !== undefined) this.applicationName = parts.applicationName
    if (parts.sslMode !== undefined) this.sslMode = parts.sslMode
    if (parts.sslNegotiation !== undefined) this.sslNegotiation = parts.sslNegotiation
    this.ignored = parts.ignored
    this.#password = parts.password
  }

  /** The secret, decoded. A method, because inspectors call getters. */
  revealPassword(): string {
    return this.#password
  }

  /** The connection string with the password masked. */
  toString(): string {
    const host = this.host.includes(':') ? `[${this.host}]` : this.host
    const secret = this.#password === '' ? '' : ':***'
    const [user, database] = [this.user, this.database].map(encodeURIComponent)
    return `postgres://${user}${secret}@${host}:${this.port}/${database}`
  }

  /** The same, for `JSON.stringify`. */
  toJSON(): string {
    return this.toString()
  }
}

/**
 * Whether a host is this machine by its name: `localhost`, `*.localhost`, `127.0.0.0/8`, `::1`.
 *
 * Resolves nothing: a name of another kind that leads to this machine is not one.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6761#section-6.3
 *
 * @example
 * ```ts
 * isLoopbackHost('database.localhost') // true
 * isLoopbackHost('localhost.example.com') // false
 * ```
 */
export function isLoopbackHost(host: string): boolean {
  return /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])\.?$/i.test(host)
}

/** Who runs the server behind a host in lower case, as far as the name tells. */
export function providerOf(host: string, port: number): ConnectionProvider {
  if (host.endsWith('.pooler.supabase.com')) return 'supabase-shared'
  if (/^db\.[^.]+\.supabase\.(co|com)$/.test(host)) {
    return port === 6543 ? 'supabase-dedicated' : 'supabase-direct'
  }
  if (host.endsWith('.neon.tech')) {
    return host.split('.')[0]?.endsWith('-pooler') ? 'neon-pooler' : 'neon-direct'
  }
  if (host.endsWith('.hyperdrive.local')) return 'hyperdrive'
  return isLoopbackHost(host) ? 'loopback' : 'other'
}

/** How such a server shares its connections, as far as its port tells. */
export function modeOf(provider: ConnectionProvider, port: number): ConnectionMode {
  switch (provider) {
    case 'supabase-shared':
      return port === 6543 ? 'transaction' : port === 5432 ? 'session' : 'unknown'
    case 'supabase-dedicated':
    case 'neon-pooler':
    case 'hyperdrive':
      return 'transaction'
    case 'supabase-direct':
    case 'neon-direct':
      return 'direct'
    default:
      return 'unknown'
  }
}

/**
 * Supavisor takes the whole user for the role where an option names the project, dots and all; the
 * same in one name is `<role>.<ref>`. A user that already ends in a reference is left alone.
 */
function withRef(user: string, reference: string | undefined): string {
  if (reference === undefined || user.endsWith(`.${reference}`)) return user
  return /\.[a-z0-9]{20}$/.test(user) ? user : `${user}.${reference}`
}

/** Supavisor takes what follows the last dot of the user. */
function refOf(provider: ConnectionProvider, host: string, user: string): string | undefined {
  if (provider === 'supabase-shared') return /\.([^.]+)$/.exec(user)?.[1]
  return /^db\.([^.]+)\.supabase\.(co|com)$/.exec(host)?.[1]
}
