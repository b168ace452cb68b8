import { ConnectionTarget, isLoopbackHost } from './connection-target.ts'
import { NullpoolError } from './errors.ts'

/** Longer texts are not connection strings. */
const MAX_LENGTH = 8_192
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']
const FORM = 'The form is postgres://user:password@host:6543/database.'

/** A text cut into its parts, nothing decoded. */
export interface SplitText {
  user: string
  /** `undefined` where there is no colon. */
  password: string | undefined
  host: string
  port: string | undefined
  database: string
  query: string
}

/**
 * Reads a connection string as people paste it: with quotes and spaces around it, with `DATABASE_URL=`
 * or `psql` in front, with characters in the password that should have been percent-encoded.
 *
 * Parameters that are not needed are dropped and listed in `ignored`, because servers and poolers
 * refuse a connection for a parameter that they do not know.
 *
 * @throws {NullpoolError} `ERR_URL_INVALID`, which says what is wrong and never quotes the text.
 *
 * @example An unescaped password
 * ```ts
 * const target = parseConnectionString('postgres://library:p@ss/word@localhost:6543/library')
 * target.host // 'localhost'
 * String(target) // 'postgres://library:***@localhost:6543/library'
 * ```
 *
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
 */
export function parseConnectionString(text: string): ConnectionTarget {
  const { user, password, host, port, database, query } = splitConnectionString(text)
  const parameters = new URLSearchParams(query)
  const sslMode = parameters.get('sslmode') ?? undefined
  if (sslMode !== undefined && !SSL_MODES.includes(sslMode)) {
    throw invalid(
      'The parameter sslmode has an unknown value.',
      `It takes ${SSL_MODES.join(', ')}.`,
    )
  }
  const reference = referenceOf(parameters.get('options') ?? '')
  const applicationName = printable(parameters.get('application_name') ?? '')
  const name = decode(user)
  const kept = ['sslmode', ...(applicationName ? ['application_name'] : [])]
  if (reference) kept.push('options')
  const plainHost = host.replace(/^\[|\]$/g, '').toLowerCase()
  return new ConnectionTarget({
    host: plainHost,
    port: checkPort(port),
    user: name,
    password: decode(password ?? ''),
    database: decode(database) || (/supabase\.com?$/.test(plainHost) ? 'postgres' : name),
    ...(applicationName ? { applicationName } : {}),
    ...(sslMode === undefined ? {} : { sslMode }),
    ...(reference === undefined ? {} : { reference }),
    ignored: [...new Set(parameters.keys())].filter((key) => !kept.includes(key)),
  })
}

/**
 * Changes a connection string to transaction mode where that is known to be right: the session port
 * 5432 of Supabase's shared pooler becomes 6543. Any other text is returned as it is, and
 * `diagnoseConnectionString` says why.
 *
 * @throws {NullpoolError} `ERR_URL_INVALID` for a text that is no connection string.
 *
 * @example
 * ```ts
 * toTransactionMode('postgres://postgres.ref:secret@aws-0-eu-west-1.pooler.supabase.com:5432/postgres')
 * // 'postgres://postgres.ref:secret@aws-0-eu-west-1.pooler.supabase.com:6543/postgres'
 * ```
 */
export function toTransactionMode(text: string): string {
  const target = parseConnectionString(text)
  if (target.provider !== 'supabase-shared' || target.port !== 5432) return text
  const { host, port } = splitConnectionString(text)
  const at = text.lastIndexOf(`@${host}`) + 1 + host.length
  return `${text.slice(0, at)}:6543${text.slice(at + (port === undefined ? 0 : port.length + 1))}`
}

/** Cuts a text into its parts. Throws `ERR_URL_INVALID` where there is none. */
export function splitConnectionString(text: string): SplitText {
  const bare = unwrap(text)
  const scheme = /^postgres(ql)?:\/\//i.exec(bare)
  if (!scheme) throw wrongScheme(bare)
  const rest = bare.slice(scheme[0].length)
  if (/^[^@]*,|@[^/?#]*,/.test(rest)) {
    throw invalid('The connection string names several hosts.', 'Name one: the pooler.')
  }
  const found = findHost(rest)
  if (found && /%2f/i.test(found.host)) {
    throw invalid('The host is a Unix socket, which a function cannot reach.', FORM)
  }
  if (!found) throw invalid('The connection string has no user, or no host behind an @.', FORM)
  const colon = found.userinfo.indexOf(':')
  const user = colon < 0 ? found.userinfo : found.userinfo.slice(0, colon)
  if (user === '') throw invalid('The connection string has no user.', FORM)
  return {
    user,
    password: colon < 0 ? undefined : found.userinfo.slice(colon + 1),
    host: found.host,
    port: found.port,
    database: found.database,
    query: found.query,
  }
}

interface HostPart {
  userinfo: string
  host: string
  port: string | undefined
  database: string
  query: string
}

const AFTER_AT =
  /^(\[[0-9a-f:.%]+\]|[^\s:/?#@[\],]+)(?::(\d*))?(?:\/([^?#]*))?(?:\?([^#]*))?(?:#.*)?$/i

/**
 * A password may hold an `@`, and so may a parameter. Of the places where a host can begin, the last
 * one with a host that we know is taken, else the last one followed by a port or a path, else the last.
 * What stays ambiguous is a password that itself ends like `@host:5432/`, and one with a `%` and two
 * hexadecimal digits behind it, which is taken for percent-encoding.
 */
function findHost(rest: string): HostPart | undefined {
  const places: (HostPart & { known: boolean; anchored: boolean })[] = []
  for (let at = rest.indexOf('@'); at >= 0; at = rest.indexOf('@', at + 1)) {
    const match = AFTER_AT.exec(rest.slice(at + 1))
    if (!match) continue
    const [, host = '', port, database = '', query = ''] = match
    places.push({
      userinfo: rest.slice(0, at),
      host,
      port: port === '' ? undefined : port,
      database,
      query,
      known: isKnownHost(host),
      anchored: port !== undefined || match[3] !== undefined,
    })
  }
  return (
    places.findLast(({ known }) => known) ??
    places.findLast(({ anchored }) => anchored) ??
    places.at(-1)
  )
}

function isKnownHost(host: string): boolean {
  return isLoopbackHost(host) || /\.(supabase\.com?|neon\.tech|hyperdrive\.local)$/i.test(host)
}

/** Takes off what comes along when a line of a file or a shell is copied. */
function unwrap(text: string): string {
  if (text.length > MAX_LENGTH) {
    throw invalid(`The connection string has more than ${MAX_LENGTH} characters.`, FORM)
  }
  if (text.includes('\0')) throw invalid('The connection string holds a NUL byte.', FORM)
  return text
    .trim()
    .replace(/^(export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*=\s*(?=["'`]?postgres)/i, '')
    .replace(/^psql\s+/, '')
    .replace(/^(["'`])(.*)\1;?$/s, '$2')
    .trim()
}

function wrongScheme(bare: string): NullpoolError {
  if (/^https?:\/\//i.test(bare)) {
    return invalid(
      'This is the address of an HTTP API and not a connection string.',
      'On Supabase copy the string under Connect, Transaction pooler.',
    )
  }
  return invalid('The connection string does not begin with postgres:// or postgresql://.', FORM)
}

function checkPort(port: string | undefined): number {
  const number = port === undefined ? 5432 : Number(port)
  if (Number.isInteger(number) && number >= 1 && number <= 65_535) return number
  throw invalid('The port is not a number from 1 to 65535.', FORM)
}

/** `reference=ref`, as Supavisor reads it, also where the `=` was encoded twice. */
function referenceOf(options: string): string | undefined {
  return /(?:^|[\s-])reference(?:=|%3D)([a-z0-9]+)/i.exec(options)?.[1]
}

/** What every pooler takes as a name: up to 63 printable ASCII characters. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '').slice(0, 63)
}

/** Percent-decoding that leaves alone what is not percent-encoded. */
function decode(text: string): string {
  const decoded = text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run)
    } catch {
      return run
    }
  })
  if (decoded.includes('\0')) throw invalid('The connection string holds a NUL byte.', FORM)
  return decoded
}

function invalid(message: string, hint: string): NullpoolError {
  return new NullpoolError('ERR_URL_INVALID', message, { hint })
}
