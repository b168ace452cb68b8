import { ConnectionTarget, providerOf } from './connection-target.ts'
import { invalid, isKnownParameter, splitConnectionString } from './connection-text.ts'

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'no-verify', 'verify-ca', 'verify-full']

/**
 * Reads a connection string as people paste it: with quotes and spaces around it, with `DATABASE_URL=`
 * or `psql` in front, with characters in the password that should have been percent-encoded.
 *
 * Parameters that are not needed are dropped and listed in `ignored`, because servers and poolers
 * refuse a connection for a parameter that they do not know. A `%41` in the password is always read
 * as percent-encoding; whether the server exists, and whether the password is right, is not looked at.
 *
 * @throws {NullpoolError} `ERR_URL_INVALID`, which says what is wrong and never quotes the text.
 *
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
 *
 * @example An unescaped password
 * ```ts
 * import { parseConnectionString } from 'nullpool'
 *
 * const target = parseConnectionString('postgres://library:p@ss/word@localhost:6543/library')
 * target.host // 'localhost'
 * String(target) // 'postgres://library:***@localhost:6543/library'
 * ```
 */
export function parseConnectionString(text: string): ConnectionTarget {
  const split = splitConnectionString(text)
  const host = checkHost(split.host.replace(/^\[|\]$/g, '').toLowerCase())
  const port = checkPort(split.port)
  const user = decode(split.user)
  const parameters = new URLSearchParams(split.query)
  const sslMode = checkSslMode(parameters.get('sslmode'))
  const sslNegotiation = checkSslNegotiation(parameters.get('sslnegotiation'))
  const applicationName = printable(parameters.get('application_name') ?? '')
  const shared = providerOf(host, port) === 'supabase-shared'
  const { reference, alone } = referenceOf(shared ? parameters.get('options') : null)
  const kept = ['sslmode', 'sslnegotiation']
  if (applicationName !== '') kept.push('application_name')
  if (alone) kept.push('options')
  return new ConnectionTarget({
    host,
    port,
    user,
    password: decode(split.password ?? ''),
    database: decode(split.database) || (/\.supabase\.com?$/.test(host) ? 'postgres' : user),
    ...(applicationName === '' ? {} : { applicationName }),
    ...(sslMode === undefined ? {} : { sslMode }),
    ...(sslNegotiation === undefined ? {} : { sslNegotiation }),
    ...(reference === undefined ? {} : { reference }),
    ignored: namesToShow(parameters).filter((name) => !kept.includes(name)),
  })
}

/**
 * Changes a connection string to transaction mode where that is known to be right: the session port
 * 5432 of Supabase's shared pooler becomes 6543, and every other character stays.
 *
 * Any other text is returned as it is, also one that is not in transaction mode: the pooler of a
 * direct host cannot be derived from it. `diagnoseConnectionString` says what to do with such a text.
 *
 * @throws {NullpoolError} `ERR_URL_INVALID` for a text that is no connection string.
 *
 * @see https://supabase.com/docs/guides/database/connecting-to-postgres
 *
 * @example
 * ```ts
 * import { toTransactionMode } from 'nullpool'
 *
 * toTransactionMode('postgres://postgres.ref:secret@aws-0-eu-west-1.pooler.supabase.com:5432/postgres')
 * // 'postgres://postgres.ref:secret@aws-0-eu-west-1.pooler.supabase.com:6543/postgres'
 * ```
 */
export function toTransactionMode(text: string): string {
  const { provider, port } = parseConnectionString(text)
  if (provider !== 'supabase-shared' || port !== 5432) return text
  const { hostEnd, portEnd } = splitConnectionString(text)
  return `${text.slice(0, hostEnd)}:6543${text.slice(portEnd)}`
}

/** What no DNS takes, and resolvers and certificates have odd words for. */
function checkHost(host: string): string {
  if (host.length <= 253 && !/[^.]{64}/.test(host)) return host
  throw invalid('A host name has at most 253 characters, and 63 between two dots.')
}

function checkPort(port: string | undefined): number {
  const number = port === undefined ? 5432 : Number(port)
  if (number >= 1 && number <= 65_535) return number
  throw invalid('The port is not a number from 1 to 65535.')
}

function checkSslMode(value: string | null): string | undefined {
  if (!value) return undefined
  if (SSL_MODES.includes(value)) return value
  throw invalid('The parameter sslmode has an unknown value.', `It takes ${SSL_MODES.join(', ')}.`)
}

function checkSslNegotiation(value: string | null): string | undefined {
  if (value === null || value === 'direct' || value === 'postgres') return value ?? undefined
  throw invalid('The parameter sslnegotiation has an unknown value.', 'It takes direct, postgres.')
}

/** The project in `reference=ref`, `-c reference=ref` or `--reference=ref`, as Supavisor reads them. */
function referenceOf(options: string | null): { reference?: string; alone: boolean } {
  const words = (options ?? '').split(/\s+/).filter((word) => word !== '' && word !== '-c')
  for (const word of words) {
    // The `=` is often encoded twice.
    const reference = /^(?:-c|--)?reference(?:=|%3D)([\w-]+)$/i.exec(word)?.[1]
    if (reference !== undefined) return { reference, alone: words.length === 1 }
  }
  return { alone: false }
}

/** Where a password is a parameter, an unescaped `&` in it makes names of its pieces. */
function namesToShow(parameters: URLSearchParams): string[] {
  const names = [...new Set(parameters.keys())]
  const secret = names.findIndex((name) => /^(?:ssl)?password$/.test(name))
  if (secret < 0) return names
  return names.filter((name, index) => index <= secret || isKnownParameter(name))
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
  if (decoded.includes('\0')) throw invalid('The connection string holds a NUL byte.')
  return decoded
}
