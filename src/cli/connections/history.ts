import { type ConnectionsSnapshot, clientsOf, countingSource, waitingOf } from './snapshot.ts'

/** Ten minutes at one look every two seconds. */
const CAPACITY = 300

/** What is drawn of one moment. */
export interface HistoryPoint {
  /** Milliseconds since 1970. */
  at: number
  usedConnections: number | null
  clients: number
  waiting: number
  /** Since the point before; `null` where nobody tells, somebody else does, or a counter began anew. */
  transactionsPerSecond: number | null
  queriesPerSecond: number | null
}

/** The last moments, oldest first. */
export class History {
  readonly #points: HistoryPoint[] = []
  #last: ConnectionsSnapshot | undefined

  get points(): readonly HistoryPoint[] {
    return this.#points
  }

  add(snapshot: ConnectionsSnapshot): HistoryPoint {
    const at = Date.parse(snapshot.takenAt)
    const pooled = snapshot.pools.length > 0
    const point: HistoryPoint = {
      at,
      usedConnections: snapshot.server?.usedConnections ?? null,
      clients: pooled ? clientsOf(snapshot) : (snapshot.server?.usedConnections ?? 0),
      waiting: waitingOf(snapshot),
      transactionsPerSecond: this.#rate(snapshot, 'transactions'),
      queriesPerSecond: this.#rate(snapshot, 'queries'),
    }
    this.#last = snapshot
    this.#points.push(point)
    if (this.#points.length > CAPACITY) this.#points.shift()
    return point
  }

  #rate(snapshot: ConnectionsSnapshot, counter: 'transactions' | 'queries'): number | null {
    const last = this.#last
    const [before, now] = [last?.traffic[counter] ?? null, snapshot.traffic[counter]]
    if (!last || before === null || now === null || now < before) return null
    const seconds = (Date.parse(snapshot.takenAt) - Date.parse(last.takenAt)) / 1000
    if (countingSource(last, counter) !== countingSource(snapshot, counter)) return null
    return seconds > 0 ? (now - before) / seconds : null
  }
}
