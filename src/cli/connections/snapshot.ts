/** Where what is shown comes from. */
export type SourceName = 'postgres' | 'pgbouncer' | 'supabase'

/** Whether a connection is the pooler's; `unknown` where no pooler says which are its own. */
export type Route = 'direct' | 'pooled' | 'unknown'

/** What one source had to say. */
export interface SourceReport {
  name: SourceName
  state: 'answered' | 'failed' | 'not asked'
  /** How long it took to answer, in milliseconds. */
  durationMs: number
  /** Why it did not answer, or what it did not tell. Holds no secret. */
  problem?: string
}

/** The database server, and how many connections it has room for. */
export interface ServerState {
  version: string
  maxConnections: number
  /** Of those, kept for superusers and for roles with `pg_use_reserved_connections`. */
  reservedConnections: number
  /** Client connections at this moment, the one that asks included. */
  usedConnections: number
  /** 40 % of `maxConnections`: the most that pools should take beside the Data API. */
  dataApiLimit: number
  /** 80 % of `maxConnections`: the most that pools should take at all. */
  highestLimit: number
}

/** Connections of the database that have these five in common. */
export interface ConnectionGroup {
  route: Route
  role: string
  application: string
  database: string
  /** As in `pg_stat_activity`; `hidden` where the role that asks may not know. */
  state: string
  connections: number
  /** Of the oldest open transaction among them, in seconds. */
  oldestTransactionSeconds: number | null
}

/** A connection that holds a transaction open and does nothing. */
export interface IdleTransaction {
  pid: number
  route: Route
  role: string
  application: string
  database: string
  /** Since it has had nothing to do, in seconds. */
  idleSeconds: number
  /** Its last statement without literals and comments; only where query texts were asked for. */
  query?: string
}

/** Clients of the pooler that have these in common. */
export interface ClientGroup {
  role: string
  application: string
  database: string
  state: string
  clients: number
}

/** One pool of a pooler. */
export interface Pool {
  pooler: 'pgbouncer' | 'supavisor'
  database: string
  role: string
  mode: string
  clientsActive: number
  clientsWaiting: number
  /** Of the client that waits longest, in seconds. */
  longestWaitSeconds: number
  serversActive: number
  serversIdle: number
  /** `null` where the pooler does not tell. */
  poolSize: number | null
}

/** Counters that only grow; `null` where nobody tells. */
export interface Traffic {
  /** Transactions since the server's, or the pooler's, statistics began. */
  transactions: number | null
  /** Queries that the pooler has passed on. */
  queries: number | null
}

/** Who tells a counter, the first that answers. */
const COUNTING: Record<keyof Traffic, readonly SourceName[]> = {
  transactions: ['pgbouncer', 'postgres', 'supabase'],
  queries: ['pgbouncer', 'supabase'],
}

export type WarningCode =
  | 'clients-growing'
  | 'clients-waiting'
  | 'details-hidden'
  | 'idle-in-transaction'
  | 'over-80-percent'

/** Something to do something about. */
export interface Warning {
  code: WarningCode
  message: string
  /** What to do. */
  fix: string
}

/** Everything that was found out at one moment. Stable: what is added later does not change `format`. */
export interface ConnectionsSnapshot {
  format: 1
  /** ISO 8601. */
  takenAt: string
  server: ServerState | null
  connections: ConnectionGroup[]
  idleTransactions: IdleTransaction[]
  clients: ClientGroup[]
  pools: Pool[]
  traffic: Traffic
  warnings: Warning[]
  sources: SourceReport[]
}

/** Pools should take this part of `max_connections` at the most, where the Data API is used. */
export const DATA_API_PART = 0.4
/** And this part at the most, where it is not. */
export const HIGHEST_PART = 0.8

/** Groups, pools and clients beyond this many are left out. */
export const MAX_GROUPS = 200

/** Clients of all pools, waiting ones included. */
export function clientsOf({ pools }: ConnectionsSnapshot): number {
  return pools.reduce((sum, pool) => sum + pool.clientsActive + pool.clientsWaiting, 0)
}

/** Clients of all pools that wait for a connection. */
export function waitingOf({ pools }: ConnectionsSnapshot): number {
  return pools.reduce((sum, pool) => sum + pool.clientsWaiting, 0)
}

/** Who told a counter. Each counts from a beginning of its own, so that the counts of two are not to be compared. */
export function countingSource(
  { sources }: Pick<ConnectionsSnapshot, 'sources'>,
  counter: keyof Traffic,
): SourceName | undefined {
  const answers = (name: SourceName): boolean =>
    sources.some((source) => source.name === name && source.state === 'answered')
  return COUNTING[counter].find(answers)
}
