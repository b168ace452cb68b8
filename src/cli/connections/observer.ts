import type { ConnectionTarget } from '../../connection-target.ts'
import { failureText } from '../failure-text.ts'
import { plainText } from '../plain-text.ts'
import { groupBy } from './group-by.ts'
import type { KeptConnection } from './kept-connection.ts'
import { type PgBouncerReading, readPgBouncer } from './pgbouncer-source.ts'
import { type PostgresReading, readPostgres, type Session } from './postgres-source.ts'
import type {
  ConnectionGroup,
  ConnectionsSnapshot,
  IdleTransaction,
  Route,
  SourceName,
  SourceReport,
  Warning,
} from './snapshot.ts'
import type { SupabaseReading } from './supabase-metrics.ts'
import type { SupabaseMetrics } from './supabase-source.ts'

/** The longest few are enough to act on. */
const MAX_IDLE_TRANSACTIONS = 20
const MAX_PROBLEM_LENGTH = 300

/** Whom to ask; what is absent is not asked. */
export interface Sources {
  postgres?: KeptConnection | undefined
  pgbouncer?: KeptConnection | undefined
  /** The console is only tried: with the login of the database, and after that has been accepted. */
  isConsoleGuessed: boolean
  supabase?: SupabaseMetrics | undefined
  /** With whose passwords: no server's words show them. */
  logins: readonly (ConnectionTarget | undefined)[]
  /** Whether the texts of statements are shown. */
  withQueries: boolean
}

interface Answer<Reading> {
  reading: Reading | undefined
  report: SourceReport
}

/** Asks every source and makes one snapshot of what they say. A source that fails is named in it. */
export class Observer {
  readonly #sources: Sources

  constructor(sources: Sources) {
    this.#sources = sources
  }

  async look(): Promise<ConnectionsSnapshot> {
    const { supabase, logins } = this.#sources
    const [[database, pooler], metrics] = await Promise.all([
      this.#askDatabase(),
      ask(logins, 'supabase', supabase && (() => supabase.read())),
    ])
    return combine(database, pooler, metrics)
  }

  async close(): Promise<void> {
    await Promise.all([this.#sources.postgres?.close(), this.#sources.pgbouncer?.close()])
  }

  async #askDatabase(): Promise<[Answer<PostgresReading>, Answer<PgBouncerReading>]> {
    const { postgres, pgbouncer, isConsoleGuessed, logins, withQueries } = this.#sources
    const database = await ask(
      logins,
      'postgres',
      postgres && (() => postgres.use((scope) => readPostgres(scope, withQueries))),
    )
    // The console comes second: a backend that it does not name is not its own then, and not merely newer. And a
    // password that the database refuses is not tried there too. One that the console has taken is as good as ever,
    // also while the database behind it is down.
    const isTaken = pgbouncer?.hasWorked ?? false
    const mayAsk = !isConsoleGuessed || isTaken || database.reading !== undefined
    const pooler = await ask(
      logins,
      'pgbouncer',
      mayAsk ? pgbouncer && (() => pgbouncer.use(readPgBouncer)) : undefined,
    )
    return [database, withoutGuess(pooler, isConsoleGuessed && !isTaken && pgbouncer?.isOver)]
  }
}

/** Where nobody asked for the console, it is no failure that it does not take the login. */
function withoutGuess<Reading>(
  answer: Answer<Reading>,
  isRefused: boolean | undefined,
): Answer<Reading> {
  if (!isRefused) return answer
  const problem =
    'There is no console for this login. With --admin its pools, clients and waiting are shown too.'
  return { ...answer, report: { ...answer.report, state: 'not asked', problem } }
}

async function ask<Reading>(
  logins: Sources['logins'],
  name: SourceName,
  read: (() => Promise<Reading>) | undefined,
): Promise<Answer<Reading>> {
  if (read === undefined) {
    return { reading: undefined, report: { name, state: 'not asked', durationMs: 0 } }
  }
  const begin = performance.now()
  const durationMs = (): number => Math.round((performance.now() - begin) * 10) / 10
  try {
    const reading = await read()
    return { reading, report: { name, state: 'answered', durationMs: durationMs() } }
  } catch (error) {
    const problem = plainText(failureText(error, logins), MAX_PROBLEM_LENGTH)
    return {
      reading: undefined,
      report: { name, state: 'failed', durationMs: durationMs(), problem },
    }
  }
}

function combine(
  { reading: database, report: first }: Answer<PostgresReading>,
  { reading: pooler, report: second }: Answer<PgBouncerReading>,
  { reading: metrics, report: third }: Answer<SupabaseReading>,
): ConnectionsSnapshot {
  const routeOf = routes(pooler)
  const sessions = database?.sessions ?? []
  const pooled = pooler?.traffic ?? metrics?.traffic
  return {
    format: 1,
    takenAt: new Date().toISOString(),
    server: database?.server ?? metrics?.server ?? null,
    connections: database ? groupsOf(sessions, routeOf) : rolesOf(metrics),
    idleTransactions: idleTransactionsOf(sessions, routeOf),
    clients: pooler?.clients ?? [],
    pools: [
      ...(pooler?.pools ?? []),
      ...(metrics?.pools ?? []).filter((pool) => !(pooler && pool.pooler === 'pgbouncer')),
    ],
    traffic: {
      transactions:
        pooler?.traffic.transactions ?? database?.transactions ?? pooled?.transactions ?? null,
      queries: pooled?.queries ?? null,
    },
    warnings: hiddenWarning(database),
    sources: [first, second, third],
  }
}

/** PgBouncer names the backends that are its own; Supavisor calls itself by name. */
function routes(pooler: PgBouncerReading | undefined): (session: Session) => Route {
  const ports = new Map(pooler?.servers.map(({ pid, port }) => [pid, port]))
  return ({ pid, clientPort, application }) => {
    if (application.startsWith('Supavisor')) return 'pooled'
    if (pooler === undefined) return 'unknown'
    const port = ports.get(pid)
    // Another server's backend may have the same pid; its port at our end is another one.
    const isSame = clientPort === null || clientPort < 0 || clientPort === port
    return port !== undefined && isSame ? 'pooled' : 'direct'
  }
}

function groupsOf(sessions: Session[], routeOf: (session: Session) => Route): ConnectionGroup[] {
  return groupBy(
    sessions,
    (session) => [
      routeOf(session),
      session.role,
      session.application,
      session.database,
      session.state,
    ],
    (session): ConnectionGroup => ({
      route: routeOf(session),
      role: session.role,
      application: session.application,
      database: session.database,
      state: session.state,
      connections: 0,
      oldestTransactionSeconds: null,
    }),
    (group, { transactionSeconds }) => {
      group.connections++
      if (transactionSeconds === null) return
      const oldest = Math.max(group.oldestTransactionSeconds ?? 0, transactionSeconds)
      group.oldestTransactionSeconds = oldest
    },
    (group) => group.connections,
  )
}

function rolesOf(metrics: SupabaseReading | undefined): ConnectionGroup[] {
  return (metrics?.roles ?? []).map(({ role, connections }) => ({
    route: 'unknown',
    role,
    application: '',
    database: '',
    state: 'hidden',
    connections,
    oldestTransactionSeconds: null,
  }))
}

function idleTransactionsOf(
  sessions: Session[],
  routeOf: (session: Session) => Route,
): IdleTransaction[] {
  return sessions
    .filter(({ state }) => state.startsWith('idle in transaction'))
    .toSorted((one, other) => other.stateSeconds - one.stateSeconds)
    .slice(0, MAX_IDLE_TRANSACTIONS)
    .map((session) => ({
      pid: session.pid,
      route: routeOf(session),
      role: session.role,
      application: session.application,
      database: session.database,
      idleSeconds: session.stateSeconds,
      ...(session.query === undefined ? {} : { query: session.query }),
    }))
}

function hiddenWarning(database: PostgresReading | undefined): Warning[] {
  if (!database?.hidden) return []
  return [
    {
      code: 'details-hidden',
      message: `This role may not see the state of ${database.hidden} connections of other roles.`,
      fix: 'A superuser can allow it: grant pg_read_all_stats to the role.',
    },
  ]
}
