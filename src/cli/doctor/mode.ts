import { NullpoolError } from '../../errors.ts'
import { type Examination, found } from './examination.ts'
import { canListen } from './listening.ts'
import { nameOfPooler } from './pooler-name.ts'
import { PoolerSession } from './pooler-session.ts'
import { type NamedStatements, namedStatements } from './prepared-statements.ts'
import type { Note, Outcome } from './report.ts'
import { credentialsOf, routeOf } from './route.ts'
import { type Turns, takeTurns } from './turns.ts'

/** Which pooler answers, how it shares its connections, and what that leaves of a session. */
export async function mode(examination: Examination): Promise<Outcome> {
  const session = found(examination.session)
  const [row] = await session.query("select pg_backend_pid(), current_setting('application_name')")
  const [pid = null, applicationName = null] = row ?? []
  const isDirect = session.key !== undefined && String(session.key.processId) === pid
  const turns: Turns = isDirect
    ? { mode: 'direct', evidence: 'the process that logged in is the one that answers', pids: [] }
    : await proveMode(examination)
  examination.mode = turns.mode
  const statements = await namedStatements(session)
  examination.pooler = isDirect
    ? 'none'
    : await nameOfPooler(examination, { applicationName, statements })
  const listens = turns.mode === 'transaction' ? false : await canListen(session)
  return {
    summary: `${poolerText(examination)}, ${turns.mode} mode.`,
    notes: [
      ...modeNotes(examination, turns),
      ...statementNotes(statements, turns.mode),
      ...listenNotes(listens),
    ],
    data: {
      pooler: examination.pooler,
      mode: turns.mode,
      evidence: turns.evidence,
      pids: turns.pids,
      preparedStatements: statements,
      listen: listens,
    },
  }
}

/** Two more logins with the same credentials, which have been accepted by now. */
async function proveMode(examination: Examination): Promise<Turns> {
  const { timeoutMs } = examination.options
  const [route, credentials] = [routeOf(examination), credentialsOf(examination)]
  let second: PoolerSession | undefined
  try {
    second = await PoolerSession.open(route, credentials, timeoutMs)
    return await takeTurns(found(examination.session), second)
  } catch (error) {
    if (!NullpoolError.is(error)) throw error
    return await withoutSecond(found(examination.session), error)
  } finally {
    await second?.close()
  }
}

/** In transaction mode an idle client keeps nothing from another; the first one is asked once more. */
async function withoutSecond(first: PoolerSession, error: NullpoolError): Promise<Turns> {
  await first.query('select pg_backend_pid()')
  const starved = /^ERR_(POOLER_FULL|POOLER_SESSION_FULL|QUERY_TIMEOUT)$/.test(error.code)
  const evidence = starved
    ? `a second connection got no backend while the first one was idle (${error.code})`
    : `a second connection failed (${error.code}), so nothing was proven`
  return { mode: starved ? 'session' : 'unknown', evidence, pids: [] }
}

function poolerText({ pooler }: Examination): string {
  if (pooler === 'none') return 'Postgres itself'
  if (pooler === 'pgbouncer') return 'PgBouncer'
  if (pooler === 'supavisor') return 'Supavisor'
  return pooler === 'hyperdrive' ? 'Hyperdrive' : 'A pooler that tells no name'
}

function modeNotes({ options, target }: Examination, turns: Turns): Note[] {
  const level = options.stationary ? 'info' : turns.mode === 'session' ? 'error' : 'warning'
  const fix =
    found(target).provider === 'supabase-shared'
      ? 'Change the port to 6543.'
      : 'Use the port of a pooler in transaction mode: pool_mode = transaction in PgBouncer, usually port 6543.'
  if (turns.mode === 'session') {
    return [
      {
        level,
        code: 'session-mode',
        message:
          'This pooler is in session mode: each client keeps a connection of the database until it leaves.',
        fix,
      },
    ]
  }
  if (turns.mode === 'direct') {
    return [
      {
        level,
        code: 'no-pooler',
        message: 'No pooler is in between: each request would take a connection of the database.',
        fix,
      },
    ]
  }
  if (turns.mode === 'transaction') return []
  return [
    {
      level: 'warning',
      code: 'mode-unproven',
      message: `The mode is not known: ${turns.evidence}.`,
    },
  ]
}

function statementNotes(statements: NamedStatements, mode: Turns['mode']): Note[] {
  if (statements !== 'kept' || mode !== 'transaction') return []
  return [
    {
      level: 'info',
      code: 'prepared-statements-leak',
      message: 'Named prepared statements stay in a backend that the next client gets.',
      fix: 'Nothing with nullpool, which names none; elsewhere prepare: false, or max_prepared_statements in PgBouncer from 1.21 on.',
    },
  ]
}

function listenNotes(listens: boolean): Note[] {
  if (listens) return []
  return [
    {
      level: 'info',
      code: 'no-listen',
      message:
        'LISTEN hears nothing here: the backend that listens is somebody else’s after the transaction. It was not tried, because it would stay there.',
      fix: 'Listen over a direct connection, or use Realtime; NOTIFY works.',
    },
  ]
}
