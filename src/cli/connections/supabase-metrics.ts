import { plainNumber, plainText } from '../plain-text.ts'
import { limitsOf } from './postgres-source.ts'
import type { Sample } from './prometheus-text.ts'
import { MAX_GROUPS, type Pool, type ServerState, type Traffic } from './snapshot.ts'

/** What the metrics of a project say of its connections. */
export interface SupabaseReading {
  server: ServerState | null
  /** Connections by role, which is all that the metrics tell of them. */
  roles: { role: string; connections: number }[]
  pools: Pool[]
  traffic: Traffic
}

/** How a metric finds its place in a pool. */
type Fill = (pool: Pool, value: number) => void

const PGBOUNCER: Record<string, Fill> = {
  pgbouncer_pools_client_active_connections: (pool, value) => {
    pool.clientsActive += value
  },
  pgbouncer_pools_client_waiting_connections: (pool, value) => {
    pool.clientsWaiting += value
  },
  pgbouncer_pools_client_maxwait_seconds: (pool, value) => {
    pool.longestWaitSeconds = Math.max(pool.longestWaitSeconds, value)
  },
  pgbouncer_pools_server_active_connections: (pool, value) => {
    pool.serversActive += value
  },
  pgbouncer_pools_server_idle_connections: (pool, value) => {
    pool.serversIdle += value
  },
}

const SUPAVISOR: Record<string, Fill> = {
  supavisor_connections_active: (pool, value) => {
    pool.clientsActive += value
  },
  supavisor_pool_connections_checked_out: (pool, value) => {
    pool.serversActive += value
  },
  supavisor_pool_connections_idle: (pool, value) => {
    pool.serversIdle += value
  },
}

/**
 * Finds the connections among a project's metrics. A metric that a project does not have is left out.
 *
 * @see https://supabase.com/docs/guides/telemetry/metrics
 */
export function readSupabaseMetrics(samples: readonly Sample[]): SupabaseReading {
  const roles = samples
    .filter(({ name }) => name === 'connection_stats_connection_count')
    .map(({ labels, value }) => ({
      role: plainText(labels.username ?? labels.usename),
      connections: plainNumber(value),
    }))
  const sum = (...names: string[]): number | null => {
    const found = samples.filter(({ name }) => names.includes(name))
    return found.length === 0 ? null : found.reduce((total, { value }) => total + value, 0)
  }
  return {
    server: serverOf(samples, roles),
    roles: roles.slice(0, MAX_GROUPS),
    pools: [
      ...poolsOf(samples, 'pgbouncer', PGBOUNCER),
      ...poolsOf(samples, 'supavisor', SUPAVISOR),
    ],
    traffic: {
      transactions: sum(
        'pg_stat_database_xact_commit_total',
        'pg_stat_database_xact_rollback_total',
      ),
      queries: sum('supavisor_client_queries_count', 'pgbouncer_stats_queries_pooled_total'),
    },
  }
}

function serverOf(
  samples: readonly Sample[],
  roles: readonly { connections: number }[],
): ServerState | null {
  const max = samples.find(({ name }) => name === 'max_connections_connection_count')
  if (max === undefined) return null
  const maxConnections = plainNumber(max.value)
  return {
    version: 'unknown',
    maxConnections,
    reservedConnections: 0,
    usedConnections: roles.reduce((total, { connections }) => total + connections, 0),
    ...limitsOf(maxConnections),
  }
}

function poolsOf(
  samples: readonly Sample[],
  pooler: Pool['pooler'],
  fills: Readonly<Record<string, Fill>>,
): Pool[] {
  const pools = new Map<string, Pool>()
  for (const { name, labels, value } of samples) {
    const fill = Object.hasOwn(fills, name) ? fills[name] : undefined
    if (fill === undefined) continue
    const [database, role, mode] = [
      labels.database ?? labels.db_name,
      labels.user,
      labels.mode ?? 'transaction',
    ].map((label) => plainText(label))
    const key = JSON.stringify([database, role, mode])
    const pool = pools.get(key) ?? emptyPool(pooler, database, role, mode)
    if (pools.size < MAX_GROUPS) pools.set(key, pool)
    fill(pool, plainNumber(value))
  }
  return [...pools.values()]
}

function emptyPool(pooler: Pool['pooler'], database = '', role = '', mode = ''): Pool {
  return {
    pooler,
    database,
    role,
    mode,
    clientsActive: 0,
    clientsWaiting: 0,
    longestWaitSeconds: 0,
    serversActive: 0,
    serversIdle: 0,
    poolSize: null,
  }
}
