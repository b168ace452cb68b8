import { type ConnectionsSnapshot, clientsOf, waitingOf } from './snapshot.ts'

/** Ten minutes at one look every two seconds. */
const CAPACITY = 300

/** What is drawn of one moment. */
export interface HistoryPoint {
  /** Milliseconds since 1970. */
  at: number
  usedConnections: number | null
  clients: number
  waiting: number
  /** Since the point before; `null` where nobody tells, or a counter began anew. */
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
    const [before, now] = [this.#last?.traffic[counter] ?? null, snapshot.traffic[counter]]
    const seconds = (Date.parse(snapshot.takenAt) - Date.parse(this.#last?.takenAt ?? '')) / 1000
    if (before === null || now === null || now < before || !(seconds > 0)) return null
    return (now - before) / seconds
  }
}
