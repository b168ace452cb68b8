import type { HistoryPoint } from './history.ts'

/** Looks that it takes to tell growth from a moment's need. */
export const LEAK_POINTS = 12
/** Growth below this is everyday life. */
const LEAST_CLIENTS = 4
const LEAST_PART = 0.1
/** Requests that grow by less have not grown. */
const SAME_TRAFFIC = 1.2

/** Clients that came and did not go, while there was no more to do. */
export interface Growth {
  from: number
  to: number
  seconds: number
}

/**
 * Finds clients growing while requests do not, in the last {@link LEAK_POINTS} looks: each third has more clients
 * at its lowest than the one before, and the last no more transactions a second than the first. The lowest, because
 * clients that come and go return to where they were.
 *
 * Without counters of transactions nothing is found: growth alone may be success.
 */
export function findGrowth(points: readonly HistoryPoint[]): Growth | undefined {
  const last = points.slice(-LEAK_POINTS)
  const [first, latest] = [last[0], last.at(-1)]
  if (last.length < LEAK_POINTS || !first || !latest) return undefined
  const thirds = [0, 1, 2].map((n) =>
    last.slice((n * last.length) / 3, ((n + 1) * last.length) / 3),
  )
  const [few = 0, more = 0, most = 0] = thirds.map((third) =>
    Math.min(...third.map(({ clients }) => clients)),
  )
  if (!(few < more && more < most)) return undefined
  if (most - few < LEAST_CLIENTS || most - few < few * LEAST_PART) return undefined
  const [before, after] = [ratesOf(thirds[0]), ratesOf(thirds[2])]
  if (before.length === 0 || after.length === 0) return undefined
  // One more a second is what the looking itself may cost.
  if (mean(after) > mean(before) * SAME_TRAFFIC + 1) return undefined
  return {
    from: first.clients,
    to: latest.clients,
    seconds: Math.round((latest.at - first.at) / 1000),
  }
}

function ratesOf(points: readonly HistoryPoint[] = []): number[] {
  return points.flatMap(({ transactionsPerSecond }) => transactionsPerSecond ?? [])
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / Math.max(numbers.length, 1)
}
