import type { HistoryPoint } from './history.ts'
import { findGrowth } from './leak.ts'
import { type ConnectionsSnapshot, type Warning, waitingOf } from './snapshot.ts'

/** A transaction may think for so long, in seconds; then somebody has forgotten it. */
export const IDLE_LIMIT_SECONDS = 60

/** What there is to warn of at this moment, given the ones before. */
export function findWarnings(
  snapshot: ConnectionsSnapshot,
  points: readonly HistoryPoint[],
  idleLimitSeconds: number = IDLE_LIMIT_SECONDS,
): Warning[] {
  return [
    ...growing(points),
    ...idle(snapshot, idleLimitSeconds),
    ...crowded(snapshot),
    ...waiting(snapshot),
  ]
}

function growing(points: readonly HistoryPoint[]): Warning[] {
  const growth = findGrowth(points)
  if (growth === undefined) return []
  const { from, to, seconds } = growth
  return [
    {
      code: 'clients-growing',
      message: `Clients grew from ${from} to ${to} in ${seconds} seconds and transactions did not: some are not closed.`,
      fix: 'Close each connection with its request, or share one pool in each process.',
    },
  ]
}

function idle({ idleTransactions }: ConnectionsSnapshot, limit: number): Warning[] {
  const old = idleTransactions.filter(({ idleSeconds }) => idleSeconds > limit)
  const oldest = old.toSorted((one, other) => other.idleSeconds - one.idleSeconds)[0]
  if (oldest === undefined) return []
  const { pid, role, application, idleSeconds } = oldest
  const who = application === '' ? role : `${role}, ${application}`
  return [
    {
      code: 'idle-in-transaction',
      message: `${old.length} idle in transaction for more than ${limit} seconds; the longest is pid ${pid} (${who}), for ${Math.floor(idleSeconds)} seconds.`,
      fix: `End the transaction in the code, set idle_in_transaction_session_timeout, or: select pg_terminate_backend(${pid})`,
    },
  ]
}

function crowded({ server }: ConnectionsSnapshot): Warning[] {
  if (server === null || server.usedConnections <= server.highestLimit) return []
  return [
    {
      code: 'over-80-percent',
      message: `${server.usedConnections} of ${server.maxConnections} connections are in use, which is over 80 %.`,
      fix: 'Make the pools smaller (nullpool pool-size), or send clients through the transaction pooler.',
    },
  ]
}

function waiting(snapshot: ConnectionsSnapshot): Warning[] {
  const longest = Math.max(0, ...snapshot.pools.map((pool) => pool.longestWaitSeconds))
  const clients = waitingOf(snapshot)
  // Shorter than this is a queue that moves.
  if (clients === 0 || longest < 1) return []
  return [
    {
      code: 'clients-waiting',
      message: `${clients} clients wait for a connection of the pooler, the longest for ${longest.toFixed(1)} seconds.`,
      fix: 'Find the transactions that last long, or make the pool larger (nullpool pool-size).',
    },
  ]
}
