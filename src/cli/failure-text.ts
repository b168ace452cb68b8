import type { ConnectionTarget } from '../connection-target.ts'
import { plainText } from './plain-text.ts'

/** What of a target its server may repeat. */
type Login = Pick<ConnectionTarget, 'user' | 'database' | 'revealPassword'>

/** A shorter one is found in other words too, and replaced only where it stands by itself. */
const SURE_LENGTH = 8

/** What the driver and the library call an error in the server's own words. */
const SERVERS_WORDS = ['ServerError', 'PostgresError']

/**
 * What an error says, on one line where a server said it, and without the passwords of these logins.
 *
 * A server is free to say anything: what a terminal obeys, and what it was given to be let in.
 */
export function failureText(error: unknown, logins: readonly (Login | undefined)[]): string {
  const message = error instanceof Error ? error.message : String(error)
  const quoted = serversWords(error)
  if (!quoted) return message
  const passwords = logins.flatMap((login) => (login ? passwordOf(login) : []))
  const shown = plainText(passwords.reduce(withoutPassword, quoted), Number.POSITIVE_INFINITY)
  return message.replaceAll(quoted, () => shown)
}

/** Ours quote the server's as their cause. */
function serversWords(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return SERVERS_WORDS.includes(error.name) ? error.message : serversWords(error.cause)
}

/** As it is and as a URL has it. A password that is also a name is none to hide, for names are shown. */
function passwordOf(login: Login): string[] {
  const password = login.revealPassword()
  if (['', login.user, login.database].includes(password)) return []
  return [...new Set([password, encodeURIComponent(password)])]
}

function withoutPassword(text: string, password: string): string {
  if (password.length >= SURE_LENGTH) return text.replaceAll(password, () => '***')
  const literal = Array.from(password, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`).join('')
  const alone = `(?<![\\p{L}\\p{N}_])${literal}(?![\\p{L}\\p{N}_])`
  return text.replace(new RegExp(alone, 'gu'), () => '***')
}
