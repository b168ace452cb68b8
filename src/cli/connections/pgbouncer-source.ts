import type { Scope } from 'nullpool'
import { plainNumber, plainText } from '../plain-text.ts'
import { groupBy } from './group-by.ts'
import { type ClientGroup, MAX_GROUPS, type Pool, type Traffic } from './snapshot.ts'

/** The console's own, which nobody is served by. */
const CONSOLE = 'pgbouncer'

/** What PgBouncer had to say. */
export interface PgBouncerReading {
  pools: Pool[]
  clients: ClientGroup[]
  traffic: Traffic
  /** Of its connections at the database: the backend's pid with its own port there. */
  servers: { pid: number; port: number }[]
}

/** The columns differ from version to version; what is not there is nothing. */
type Row = Record<string, unknown>

/**
 * Asks the admin console. It is no database: it knows these commands, one at a time, and no parameters.
 *
 * @see https://www.pgbouncer.org/usage.html#admin-console
 */
export async function readPgBouncer({ sql }: Scope): Promise<PgBouncerReading> {
  const show = async (what: string): Promise<Row[]> => [...(await sql.unsafe(`SHOW ${what}`))]
  const [pools, databases] = [await show('POOLS'), await show('DATABASES')]
  const [clients, stats, servers] = [
    await show('CLIENTS'),
    await show('STATS'),
    await show('SERVERS'),
  ]
  const isServed = (row: Row): boolean => row.database !== CONSOLE
  const sizes = new Map(databases.map((row) => [row.name, plainNumber(row.pool_size)]))
  return {
    pools: pools
      .filter(isServed)
      .slice(0, MAX_GROUPS)
      .map((row) => poolOf(row, sizes.get(row.database))),
    clients: clientGroups(clients.filter(isServed)),
    traffic: trafficOf(stats.filter(isServed)),
    servers: servers.map((row) => ({
      pid: plainNumber(row.remote_pid),
      port: plainNumber(row.local_port),
    })),
  }
}

function poolOf(row: Row, poolSize: number | undefined): Pool {
  return {
    pooler: 'pgbouncer',
    database: plainText(row.database),
    role: plainText(row.user),
    mode: plainText(row.pool_mode),
    clientsActive: plainNumber(row.cl_active),
    clientsWaiting: plainNumber(row.cl_waiting),
    longestWaitSeconds: plainNumber(row.maxwait) + plainNumber(row.maxwait_us) / 1e6,
    serversActive: plainNumber(row.sv_active),
    serversIdle: plainNumber(row.sv_idle) + plainNumber(row.sv_used),
    poolSize: poolSize ?? null,
  }
}

function clientGroups(rows: Row[]): ClientGroup[] {
  return groupBy(
    rows,
    (row) => [row.user, row.application_name, row.database, row.state],
    (row): ClientGroup => ({
      role: plainText(row.user),
      application: plainText(row.application_name),
      database: plainText(row.database),
      state: plainText(row.state),
      clients: 0,
    }),
    (group) => {
      group.clients++
    },
    (group) => group.clients,
  )
}

function trafficOf(stats: Row[]): Traffic {
  const sum = (column: string): number =>
    stats.reduce((total, row) => total + plainNumber(row[column]), 0)
  return { transactions: sum('total_xact_count'), queries: sum('total_query_count') }
}
