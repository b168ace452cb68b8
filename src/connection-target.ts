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

/** The parts that a {@link ConnectionTarget} is made of. */
export interface ConnectionParts {
  host: string
  port: number
  user: string
  password: string
  database: string
  applicationName?: string
  sslMode?: string
  /** The project that `options=reference=…` names. */
  reference?: string
  ignored: readonly string[]
}

/**
 * What a connection string says, without ever showing its password.
 *
 * Printing, inspecting, spreading and serialising the target leave the password out.
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
  /** Parameters that are not sent: servers and poolers refuse what they do not know. */
  readonly ignored: readonly string[]
  readonly #password: string

  /** Takes decoded parts; `parseConnectionString` makes them from text. */
  constructor(parts: ConnectionParts) {
    const { host, port, user, reference } = parts
    this.host = host
    this.port = port
    this.provider = providerOf(host, port)
    this.mode = modeOf(this.provider, port)
    const shared = this.provider === 'supabase-shared'
    this.user = shared && reference && !user.includes('.') ? `${user}.${reference}` : user
    this.database = parts.database
    const projectRef = refOf(this.provider, host, this.user) ?? reference
    if (projectRef !== undefined) this.projectRef = projectRef
    if (parts.applicationName !== undefined) this.applicationName = parts.applicationName
    if (parts.sslMode !== undefined) this.sslMode = parts.sslMode
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

/** Whether a host is this machine by its name: `localhost`, `*.localhost`, `127.0.0.0/8`, `::1`. */
export function isLoopbackHost(host: string): boolean {
  return /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])\.?$/i.test(host)
}

function providerOf(host: string, port: number): ConnectionProvider {
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

function modeOf(provider: ConnectionProvider, port: number): ConnectionMode {
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

/** Supavisor takes what follows the last dot of the user. */
function refOf(provider: ConnectionProvider, host: string, user: string): string | undefined {
  if (provider === 'supabase-shared') return /\.([^.]+)$/.exec(user)?.[1]
  return /^db\.([^.]+)\.supabase\.(co|com)$/.exec(host)?.[1]
}
