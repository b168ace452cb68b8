import type { Scope } from 'nullpool'
import { plainNumber, plainText } from '../plain-text.ts'
import { DATA_API_PART, HIGHEST_PART, type ServerState } from './snapshot.ts'
import { statementShape } from './statement-shape.ts'

/** More connections than any server has that is well. */
const MAX_SESSIONS = 5_000
/** A look must never be what the server is busy with. */
const STATEMENT_TIMEOUT = '5s'

/** A connection of a client, as `pg_stat_activity` has it. */
export interface Session {
  pid: number
  /** Of the socket at the client's end; `null` where the role may not know. */
  clientPort: number | null
  role: string
  application: string
  database: string
  state: string
  transactionSeconds: number | null
  stateSeconds: number
  query?: string
}

/** What the server had to say. */
export interface PostgresReading {
  server: ServerState
  sessions: Session[]
  transactions: number
  /** Connections of which the role may not know the state. */
  hidden: number
}

interface ServerRow {
  version: string
  max: number
  reserved: number
  used: number
  transactions: string
}

interface SessionRow {
  pid: number
  port: number | null
  role: string | null
  application: string | null
  database: string | null
  state: string | null
  transaction_seconds: number | null
  state_seconds: number | null
  query: string | null
}

/**
 * Looks at `pg_stat_activity` in one read-only transaction of at most five seconds.
 *
 * A role sees the states of its own connections only, unless it is a member of `pg_read_all_stats`. Nor does it see
 * of others whether they are clients: what has a role is taken for one.
 *
 * @see https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
 */
export async function readPostgres(scope: Scope, withQueries: boolean): Promise<PostgresReading> {
  const options = { readOnly: true, settings: { statement_timeout: STATEMENT_TIMEOUT } }
  return await scope.transaction(options, async (sql) => {
    const [row] = await sql<ServerRow[]>`
      select current_setting('server_version') as version,
        current_setting('max_connections')::int as max,
        current_setting('superuser_reserved_connections')::int
          + coalesce(current_setting('reserved_connections', true)::int, 0) as reserved,
        (select count(*)::int from pg_stat_activity
          where (backend_type = 'client backend' or backend_type is null and datname is not null)
            and usesysid is not null) as used,
        (select sum(xact_commit + xact_rollback)::text from pg_stat_database) as transactions`
    const rows = await sql<SessionRow[]>`
      select pid, client_port as port, usename::text as role, application_name as application,
        datname::text as database, state,
        extract(epoch from clock_timestamp() - xact_start)::float8 as transaction_seconds,
        extract(epoch from clock_timestamp() - state_change)::float8 as state_seconds,
        case when ${withQueries}::boolean then query end as query
      from pg_stat_activity
      where (backend_type = 'client backend' or backend_type is null and datname is not null)
            and usesysid is not null
      limit ${MAX_SESSIONS}::int`
    if (row === undefined) throw new Error('The server told nothing about itself.')
    return {
      server: serverOf(row),
      sessions: rows.map((session) => sessionOf(session)),
      transactions: plainNumber(row.transactions),
      hidden: rows.filter(({ state }) => state === null).length,
    }
  })
}

function serverOf({ version, max, reserved, used }: ServerRow): ServerState {
  return {
    version: plainText(version.split(' ')[0]),
    maxConnections: max,
    reservedConnections: reserved,
    usedConnections: used,
    ...limitsOf(max),
  }
}

/** Where the lines are drawn, in connections. */
export function limitsOf(max: number): Pick<ServerState, 'dataApiLimit' | 'highestLimit'> {
  return {
    dataApiLimit: Math.floor(max * DATA_API_PART),
    highestLimit: Math.floor(max * HIGHEST_PART),
  }
}

function sessionOf(row: SessionRow): Session {
  return {
    pid: row.pid,
    clientPort: row.port,
    role: plainText(row.role),
    application: plainText(row.application),
    database: plainText(row.database),
    state: row.state === null ? 'hidden' : plainText(row.state),
    transactionSeconds: row.transaction_seconds,
    stateSeconds: plainNumber(row.state_seconds),
    ...(row.query === null ? {} : { query: statementShape(row.query) }),
  }
}
