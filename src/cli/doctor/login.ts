import { NullpoolError } from '../../errors.ts'
import { formatAddress } from '../../wire/format-address.ts'
import { type Examination, found } from './examination.ts'
import { PoolerSession } from './pooler-session.ts'
import type { Note, Outcome } from './report.ts'
import { credentialsOf, routeOf } from './route.ts'
import { TlsFirst, tlsFirstNote } from './tls-first.ts'

/** Weaker than what every server of today can do. */
const WEAK: ReadonlyMap<string, string> = new Map([
  ['trust', 'The server asks for no password.'],
  ['password', 'The server asks for the password in clear, and TLS alone protects it.'],
  ['md5', 'The server asks for an MD5 hash of the password, which Postgres is about to drop.'],
])

/** The one login with these credentials; what it opens is used for everything behind it. */
export async function login(examination: Examination): Promise<Outcome> {
  const { timeoutMs } = examination.options
  const route = routeOf(examination)
  const opening = PoolerSession.open(route, credentialsOf(examination), timeoutMs)
  const session = await opening.catch((error: unknown) => brokenOff(error, examination))
  if ('level' in session) return { summary: session.message, notes: [session], stops: true }
  examination.session = session
  const { user, database } = found(examination.target)
  const { method, parameters } = session
  return {
    summary: `${user} is in ${database}, by ${method}.`,
    notes: weakness(method, examination),
    data: { method, user, database, serverVersion: parameters.get('server_version') ?? null },
  }
}

/** What the library does not know to explain. */
function brokenOff(error: unknown, { target, options }: Examination): Note {
  if (!NullpoolError.is(error)) throw error
  const at = formatAddress(found(target))
  if (error.cause instanceof TlsFirst) return tlsFirstNote(at)
  if (error.code === 'ERR_CONNECTION_LOST' && error.hint === undefined) {
    return {
      level: 'error',
      code: error.code,
      message: `${at} reset the connection at the login.`,
      fix: 'A pooler that is full or restarting does this, and so does a port that is not Postgres: look at the server’s log, and check the port.',
    }
  }
  if (error.code !== 'ERR_CONNECT_TIMEOUT') throw error
  // TCP and TLS have been answered by now: whoever is silent here waits for somebody else.
  return {
    level: 'error',
    code: 'login-unanswered',
    message: `${at} accepts connections and does not answer the login within ${options.timeoutMs} ms: a pooler waits so for a database that it cannot reach or log in to.`,
    fix: 'Look at the log of the pooler, and whether the database behind it runs, exists and is not paused; --timeout waits longer.',
  }
}

function weakness(method: string, { target }: Examination): Note[] {
  const message = WEAK.get(method)
  if (message === undefined) return []
  // Supavisor asks so behind TLS by itself, and a server of one's own machine may ask for nothing.
  const usual = found(target).provider !== 'other'
  return [
    {
      level: usual ? 'info' : 'warning',
      code: `login-${method}`,
      message,
      fix: 'Let it ask for scram-sha-256 (auth_type in PgBouncer, pg_hba.conf and password_encryption in Postgres).',
    },
  ]
}
