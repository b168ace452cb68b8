import type { ConnectionTarget } from '../../connection-target.ts'

/** What stands in the place of a password that is not shown. */
export const MASK = '***'

/** What differs from the target, and what becomes of its secret. */
export interface WrittenOptions {
  /** As it is to be written, encoded already. Empty: none at all. */
  secret: string
  /** Default: `postgresql`. */
  scheme?: string
  /** Parameters instead of the target's own. */
  parameters?: Readonly<Record<string, string>>
}

/**
 * Percent-encodes everything that means something in a URL, in a shell or in an `.env` file.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3986#section-2
 */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** The connection string of a target as every tool reads it: encoded, and without what servers refuse. */
export function writeConnectionString(target: ConnectionTarget, options: WrittenOptions): string {
  const { secret, scheme = 'postgresql', parameters = parametersOf(target) } = options
  const host = target.host.includes(':') ? `[${target.host}]` : target.host
  const [user, database] = [target.user, target.database].map(percentEncode)
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${percentEncode(value)}`)
  return [
    `${scheme}://${user}${secret === '' ? '' : `:${secret}`}@${host}:${target.port}/${database}`,
    ...(query.length === 0 ? [] : [`?${query.join('&')}`]),
  ].join('')
}

function parametersOf(target: ConnectionTarget): Record<string, string> {
  const { sslMode, sslNegotiation, applicationName } = target
  return {
    ...(sslMode !== undefined && { sslmode: sslMode }),
    ...(sslNegotiation !== undefined && { sslnegotiation: sslNegotiation }),
    ...(applicationName !== undefined && { application_name: applicationName }),
  }
}
