import { Counter, Gauge, Registry } from 'prom-client'
import { type ConnectionsSnapshot, countingSource, type WarningCode } from './snapshot.ts'

const WARNINGS: readonly WarningCode[] = [
  'clients-growing',
  'clients-waiting',
  'details-hidden',
  'idle-in-transaction',
  'over-80-percent',
]

/** The snapshot in the text format of Prometheus. docs/connections.md lists the metrics. */
export async function exportSnapshot(snapshot: ConnectionsSnapshot): Promise<string> {
  const registry = new Registry()
  addServer(registry, snapshot)
  addConnections(registry, snapshot)
  addPools(registry, snapshot)
  addTraffic(registry, snapshot)
  addState(registry, snapshot)
  return await registry.metrics()
}

function gauge<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: Label[],
): Gauge<Label> {
  return new Gauge({ name: `nullpool_${name}`, help, labelNames, registers: [registry] })
}

function addServer(registry: Registry, { server }: ConnectionsSnapshot): void {
  if (server === null) return
  gauge(registry, 'max_connections', 'Connections that the server has room for.', []).set(
    server.maxConnections,
  )
  gauge(registry, 'reserved_connections', 'Of those, kept for superusers and alike.', []).set(
    server.reservedConnections,
  )
  gauge(registry, 'used_connections', 'Client connections of the server.', []).set(
    server.usedConnections,
  )
}

function addConnections(registry: Registry, snapshot: ConnectionsSnapshot): void {
  const labels = ['route', 'role', 'application', 'database', 'state']
  const count = gauge(registry, 'connections', 'Client connections of the server.', labels)
  const oldest = gauge(
    registry,
    'oldest_transaction_seconds',
    'Age of the oldest open transaction.',
    labels,
  )
  for (const group of snapshot.connections) {
    const { route, role, application, database, state } = group
    const at = { route, role, application, database, state }
    count.set(at, group.connections)
    if (group.oldestTransactionSeconds !== null) oldest.set(at, group.oldestTransactionSeconds)
  }
  gauge(
    registry,
    'idle_transaction_seconds',
    'How long the longest transaction that does nothing has done nothing.',
    [],
  ).set(Math.max(0, ...snapshot.idleTransactions.map(({ idleSeconds }) => idleSeconds)))
}

function addPools(registry: Registry, { pools }: ConnectionsSnapshot): void {
  const labels = ['pooler', 'database', 'role', 'mode']
  const clients = gauge(registry, 'pool_clients', 'Clients of a pool.', [...labels, 'state'])
  const servers = gauge(registry, 'pool_servers', 'Connections of a pool to the server.', [
    ...labels,
    'state',
  ])
  const wait = gauge(registry, 'pool_longest_wait_seconds', 'Of the client that waits.', labels)
  const size = gauge(registry, 'pool_size', 'Connections that a pool may open.', labels)
  for (const pool of pools) {
    const { pooler, database, role, mode } = pool
    const at = { pooler, database, role, mode }
    clients.set({ ...at, state: 'active' }, pool.clientsActive)
    clients.set({ ...at, state: 'waiting' }, pool.clientsWaiting)
    servers.set({ ...at, state: 'active' }, pool.serversActive)
    servers.set({ ...at, state: 'idle' }, pool.serversIdle)
    wait.set(at, pool.longestWaitSeconds)
    if (pool.poolSize !== null) size.set(at, pool.poolSize)
  }
}

function addTraffic(registry: Registry, snapshot: ConnectionsSnapshot): void {
  const counters = [
    ['transactions', 'transactions_total', 'Transactions, of the pooler where it tells.'],
    ['queries', 'queries_total', 'Queries that the pooler has passed on.'],
  ] as const
  for (const [counter, name, help] of counters) {
    const [value, source] = [snapshot.traffic[counter], countingSource(snapshot, counter)]
    if (value === null || source === undefined) continue
    const options = { name: `nullpool_${name}`, help, labelNames: ['source'] }
    new Counter({ ...options, registers: [registry] }).inc({ source }, value)
  }
}

function addState(registry: Registry, { warnings, sources, takenAt }: ConnectionsSnapshot): void {
  const warning = gauge(registry, 'warning', '1 while there is something to warn of.', ['code'])
  for (const code of WARNINGS) {
    warning.set({ code }, warnings.some((each) => each.code === code) ? 1 : 0)
  }
  const up = gauge(registry, 'source_up', '1 where a source has answered.', ['source'])
  for (const { name, state } of sources) {
    if (state !== 'not asked') up.set({ source: name }, state === 'answered' ? 1 : 0)
  }
  gauge(registry, 'snapshot_timestamp_seconds', 'When this was found out.', []).set(
    Date.parse(takenAt) / 1000,
  )
}
