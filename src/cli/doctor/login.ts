import { type Examination, found } from './examination.ts'
import { PoolerSession } from './pooler-session.ts'
import type { Note, Outcome } from './report.ts'
import { credentialsOf, routeOf } from './route.ts'

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
  const session = await PoolerSession.open(route, credentialsOf(examination), timeoutMs)
  examination.session = session
  const { user, database } = found(examination.target)
  const { method, parameters } = session
  return {
    summary: `${user} is in ${database}, by ${method}.`,
    notes: weakness(method, examination),
    data: { method, user, database, serverVersion: parameters.get('server_version') ?? null },
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
