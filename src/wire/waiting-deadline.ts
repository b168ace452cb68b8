import { Deadline } from './deadline.ts'
import type { FlightQueue } from './flight-queue.ts'
import { transactionBusy } from './loss.ts'

/** A transaction in which nothing happens ends before those who wait behind it give up. */
const AFTER_IDLE_MS = 50

/** Whoever waits behind somebody's transaction does not wait for ever, however busy that is. */
export class WaitingDeadline {
  #queue: FlightQueue
  #timeoutMs: number
  #inTransaction: () => boolean
  #deadline = new Deadline()

  /** Takes who waits, for how long, and whether a transaction is open. */
  constructor(
    queue: FlightQueue,
    { queryTimeoutMs }: { queryTimeoutMs: number },
    inTransaction: () => boolean,
  ) {
    this.#queue = queue
    this.#timeoutMs = queryTimeoutMs
    this.#inTransaction = inTransaction
  }

  /** Looks at who waits now. */
  watch(): void {
    const waiting = this.#inTransaction() ? this.#queue.outsider : undefined
    if (!waiting) return this.stop()
    const left = waiting.startedAt + this.#timeoutMs + AFTER_IDLE_MS - Date.now()
    this.#deadline.start(Math.max(1, left), () => {
      if (this.#inTransaction() && this.#queue.outsider === waiting) {
        this.#queue.refused(waiting)
        waiting.receiver.refused(waiting, transactionBusy(this.#timeoutMs))
      }
      this.watch()
    })
  }

  stop(): void {
    this.#deadline.stop()
  }
}
