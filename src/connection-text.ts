import { isLoopbackHost } from './connection-target.ts'
import { NullpoolError } from './errors.ts'

/** Longer texts are not connection strings. */
const MAX_LENGTH = 8_192
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
  /** Where the host ends in the text as it was given. */
  hostEnd: number
  /** Where the port ends, which is where the host does if there is none. */
  portEnd: number
}

/** What comes along when a line of a file, a shell, JSON or YAML is copied, up to the scheme. */
const LEAD =
  /^[\s\u200b\ufeff]*(?:(?:(?:export|set)\s+|\$env:)?["'`]?[a-z_]\w*["'`]?\s*[=:]\s*(?=(?:["'`“‘]\s*)?postgres))?(?:psql\s+)?["'`“‘]?\s*/i
const SCHEME = /^postgres(?:ql)?:\/\//i
const TRAIL = ' \t\r\n\u200b\ufeff"\'`”’;,'

/** Cuts a text into its parts. Throws `ERR_URL_INVALID` where there is none, never quoting it. */
export function splitConnectionString(text: string): SplitText {
  checkText(text)
  const lead = LEAD.exec(text)?.[0].length ?? 0
  const bare = withoutTrail(text.slice(lead))
  const scheme = SCHEME.exec(bare)?.[0].length
  if (scheme === undefined) throw wrongScheme(bare)
  const rest = bare.slice(scheme)
  checkOneLine(rest)
  const place = findHost(rest)
  if (!place) throw noHost(rest)
  const userinfo = rest.slice(0, place.at)
  const colon = userinfo.indexOf(':')
  const user = colon < 0 ? userinfo : userinfo.slice(0, colon)
  if (user === '' || /[/?#]/.test(user)) throw invalid('The connection string has no user.', FORM)
  const hostEnd = lead + scheme + place.at + 1 + place.host.length
  return {
    user,
    password: colon < 0 ? undefined : userinfo.slice(colon + 1),
    host: place.host,
    port: place.port === '' ? undefined : place.port,
    database: withoutTrail(place.path ?? ''),
    query: withoutTrail(place.query ?? ''),
    hostEnd,
    portEnd: hostEnd + (place.port === undefined ? 0 : place.port.length + 1),
  }
}

/** The error for a text that is no connection string. Neither sentence may quote the text. */
export function invalid(message: string, hint: string = FORM): NullpoolError {
  return new NullpoolError('ERR_URL_INVALID', message, { hint })
}

interface HostPlace {
  /** Where its `@` is. */
  at: number
  host: string
  port: string | undefined
  path: string | undefined
  query: string | undefined
}

/** A name or a bracketed IPv6 address, then perhaps port, path, query and the comment of an .env line. */
const AFTER_AT =
  /^(\[(?=[0-9a-f.]*:)[0-9a-f:.]+\]|[\p{L}\p{N}._-]+)(?::(\d*))?(?:\/([^?#]*))?(?:\?([^#]*))?(?:(?<=\s)#.*|#[^@]*)?$/iu

/** Parameters that connection strings have; a password does not hold one with its `?` and `=`. */
const PARAMETERS =
  'application_name channel_binding client_encoding connect_timeout connection_limit dbname host hostaddr options password pgbouncer pool_timeout port schema search_path ssl sslcert sslkey sslmode sslnegotiation sslpassword sslrootcert statement_timeout supa target_session_attrs user workaround'.split(
    ' ',
  )
const QUERY = new RegExp(`[?&](?:${PARAMETERS.join('|')})=`)

/** Whether a parameter is one that connection strings have, so that its name gives nothing away. */
export function isKnownParameter(name: string): boolean {
  return PARAMETERS.includes(name)
}

/**
 * Where the password ends: the rule for an `@`, because an unescaped password may hold every
 * character that has a meaning in a URL.
 *
 * 1. Behind `?name=` of a parameter that connection strings have, an `@` belongs to a value. This
 *    keeps `?application_name=me@localhost` from becoming the host that gets the password.
 * 2. Of the other places where a host can begin, the last with a host that we know is taken, else the
 *    last followed by a port or a path, else the last `@` of all. A path with an `@` in it is no path
 *    but more password: what is unclear is taken for secret, never for something to print.
 *
 * Ambiguous, and read so: a password with such a `?name=` in it; one that holds a known host, or, in
 * front of a bare unknown host, something like `@word/` or `@word:1/`; and a `%41`, which is an `A`.
 */
function findHost(rest: string): HostPlace | undefined {
  const end = QUERY.exec(rest)?.index ?? rest.length
  const places: HostPlace[] = []
  let last = -1
  for (let at = rest.indexOf('@'); at >= 0 && at < end; at = rest.indexOf('@', at + 1)) {
    last = at
    const match = AFTER_AT.exec(rest.slice(at + 1))
    if (!match) continue
    const [, host = '', port, path, query] = match
    places.push({ at, host, port, path, query })
  }
  return (
    places.findLast(({ host }) => isKnownHost(host)) ??
    places.findLast(isAnchored) ??
    places.find(({ at }) => at === last)
  )
}

function isKnownHost(host: string): boolean {
  return isLoopbackHost(host) || /\.(supabase\.com?|neon\.tech|hyperdrive\.local)$/i.test(host)
}

function isAnchored({ port, path, query = '' }: HostPlace): boolean {
  if (port) return true
  return path !== undefined && !path.includes('@') && (!query.includes('@') || /^\w+=/.test(query))
}

function checkText(text: unknown): void {
  if (typeof text !== 'string') throw invalid('The connection string is not a text.')
  if (text.length > MAX_LENGTH) {
    throw invalid(`The connection string has more than ${MAX_LENGTH} characters.`)
  }
  if (text.includes('\0')) throw invalid('The connection string holds a NUL byte.')
  if (/\p{Surrogate}/u.test(text)) throw invalid('The connection string holds a lone surrogate.')
}

function checkOneLine(rest: string): void {
  if (/postgres(?:ql)?:\/\//i.test(rest)) {
    throw invalid('The text holds two connection strings.', 'Paste one: the pooler’s.')
  }
  if (/[\r\n]/.test(rest)) {
    throw invalid('The connection string holds a line break.', 'Write it on one line.')
  }
}

/** A loop, because an expression for this is quadratic on long runs of spaces. */
function withoutTrail(text: string): string {
  let end = text.length
  while (end > 0 && TRAIL.includes(text.charAt(end - 1))) end--
  return text.slice(0, end)
}

function wrongScheme(bare: string): NullpoolError {
  if (!/^https?:\/\//i.test(bare)) {
    return invalid('The connection string does not begin with postgres:// or postgresql://.')
  }
  return invalid(
    'This is the address of an HTTP API and not a connection string.',
    'On Supabase open the project in the dashboard, press Connect and copy the string under Transaction pooler.',
  )
}

/** Says why no place in the text is a host. */
function noHost(rest: string): NullpoolError {
  const end = QUERY.exec(rest)?.index ?? rest.length
  const at = rest.slice(0, end).lastIndexOf('@')
  const tail = rest.slice(at + 1)
  if (/^%2f/i.test(tail) || (tail.startsWith('/') && /[?&]host=(?:\/|%2f)/i.test(tail))) {
    return invalid('The host is a Unix socket, which a function cannot reach.')
  }
  if (/^[^/?#]*,/.test(tail)) {
    return invalid('The connection string names several hosts.', 'Name one: the pooler.')
  }
  if (at < 0 && /[?&](?:user|password)=/.test(rest)) {
    return invalid('User and password stand behind the ? and not in front of the host.')
  }
  if (at < 0 || /^(?:[/?#:]|$)/.test(tail)) {
    return invalid('The connection string has no user, or no host behind an @.')
  }
  if (/^[^[/?#:]+:[^/?#]*[^\d/?#]/.test(tail)) {
    return invalid('The port is not a number from 1 to 65535.')
  }
  return invalid(
    'The host holds a character that no host name has.',
    'Put the real host in the place of a placeholder, and write an @ of the password as %40.',
  )
}
