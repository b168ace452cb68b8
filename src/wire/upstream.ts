import type { NullpoolError } from '../errors.ts'
import { requestCancel } from './cancel.ts'
import { Deadline, settledWithin } from './deadline.ts'
import { Dial } from './dial.ts'
import { sayGoodbye } from './farewell.ts'
import { Flight, type FlightReceiver } from './flight.ts'
import { repeated, transactionIdle } from './loss.ts'
import { concat, queryMessage, readyForQuery } from './messages.ts'
import { Session, type SessionOptions } from './session.ts'
import type { UpstreamEvents, UpstreamUser } from './upstream-events.ts'

const NOTHING = new Uint8Array()

/**
 * The one connection of a request: opened by the first flight, carrying one flight at a time.
 *
 * After a failure it stays failed. After {@link Upstream.release} the next flight opens a new one,
 * which no driver notices, because nothing lives in the session.
 */
export class Upstream {
  #options: SessionOptions
  #events: UpstreamEvents
  #users = new Set<UpstreamUser>()
  #queue: Flight[] = []
  #active: Flight | undefined
  #dial: Dial | undefined
  #session: Session | undefined
  #closing: Promise<void> | undefined
  #failure: (() => NullpoolError) | undefined
  /** Whose flight was sent last: the transaction that is open is that receiver's. */
  #owner: FlightReceiver | undefined
  #transaction = new Deadline()
  /** How long the close may take that follows the last leave. */
  #leaveTimeoutMs = 0

  constructor(options: SessionOptions, events: UpstreamEvents) {
    this.#options = options
    this.#events = events
  }

  /** Whether a flight is under way or waits. */
  get busy(): boolean {
    return this.#active !== undefined || this.#queue.length > 0
  }

  /** Whether a connection is open or being opened or closed. */
  get connected(): boolean {
    return (this.#session ?? this.#dial ?? this.#closing) !== undefined
  }

  /** Joins; from now on a failure is told to `user`. */
  join(user: UpstreamUser): void {
    if (this.#failure) user.fail(this.#failure)
    this.#users.add(user)
  }

  /**
   * Leaves: what it has under way is brought to its end, its transaction is rolled back, and the last
   * one to leave closes the connection.
   */
  leave(user: UpstreamUser, timeoutMs: number): void {
    this.#users.delete(user)
    this.#queue = this.#queue.filter(({ receiver }) => receiver !== user)
    this.#leaveTimeoutMs = timeoutMs
    const flight = this.#active
    if (flight?.receiver !== user) {
      if (!flight) this.#idle()
    } else if (flight.localAnswer) this.#idle()
    else {
      this.resume()
      flight.abandon(() => this.#session?.send(flight))
    }
  }

  /** Connects before the first flight asks for it. */
  open(): void {
    if (this.connected || this.#failure) return
    const dial = new Dial()
    const startedAt = Date.now()
    this.#dial = dial
    this.#events.opening()
    Session.open(dial, this.#options, {
      idle: () => this.#idle(),
      refused: (error) => this.#refuse(error),
      lost: (error) => this.#fail(error),
    }).then(
      (session) => this.#opened(session, Date.now() - startedAt),
      (error: NullpoolError) => this.#fail(error),
    )
  }

  /** Queues a flight that has something to send. */
  submit(flight: Flight): void {
    this.#queue.push(flight)
    this.#pump()
  }

  /** Sends what has been added to a flight since. */
  proceed(flight: Flight): void {
    if (flight !== this.#active) return
    if (flight.localAnswer) queueMicrotask(() => this.#answerLocally(flight))
    else this.#session?.send(flight)
  }

  /** Stops reading answers. */
  pause(): void {
    this.#session?.pause()
  }

  /** Reads on. */
  resume(): void {
    this.#session?.resume()
  }

  /** Asks the server to stop the statement that it is at, if it is at one. Never rejects. */
  async cancel(): Promise<void> {
    if (this.#session && this.#active?.awaitsServer) await this.#requestCancel(this.#session)
  }

  async #requestCancel({ key }: Session): Promise<void> {
    if (!key) return
    const requested = requestCancel(this.#options.route, key)
    this.#events.background(requested)
    await requested
  }

  /** Whether a transaction is open. */
  get inTransaction(): boolean {
    return (this.#session?.status ?? 'I') !== 'I'
  }

  /** Closes an idle connection; the next flight opens another. Never rejects. */
  release(timeoutMs: number): Promise<void> {
    const session = this.#session
    if (!session || this.busy || this.inTransaction) return this.#closing ?? Promise.resolve()
    return this.#close(session, timeoutMs)
  }

  /**
   * Ends for good: waiting flights fail, the one under way is brought to its end, an open transaction
   * is rolled back, the server is told. Never rejects and takes `timeoutMs` at the most.
   *
   * @param cancelAfterMs - How long the statement under way may run on before it is cancelled.
   */
  close(
    failure: () => NullpoolError,
    timeoutMs: number,
    cancelAfterMs: number = timeoutMs / 2,
  ): Promise<void> {
    const session = this.#session
    const underWay = this.#active?.localAnswer ? undefined : this.#active
    this.#stopThenRelease(failure, timeoutMs)
    this.#dial?.giveUp()
    if (!session) return this.#closing ?? Promise.resolve()
    const closing = this.#close(session, timeoutMs, underWay)
    void settledWithin(closing, Math.min(cancelAfterMs, timeoutMs / 2)).then((ended) => {
      if (!ended && session.busy) void this.#requestCancel(session)
    })
    return closing
  }

  #close(session: Session, timeoutMs: number, underWay?: Flight): Promise<void> {
    this.#session = undefined
    this.#closing = settledWithin(sayGoodbye(session, underWay), timeoutMs).then((ended) => {
      if (!ended) session.destroy()
      this.#closing = undefined
      this.#events.closed(undefined)
      this.#pump()
    })
    return this.#closing
  }

  #opened(session: Session, durationMs: number): void {
    this.#dial = undefined
    if (this.#failure) {
      if (session.ended) return
      session.destroy()
      return this.#events.closed(undefined)
    }
    this.#session = session
    this.#events.opened(durationMs)
    this.#pump()
  }

  #pump(): void {
    const flight = this.#next()
    if (!flight || this.#active || this.#closing !== undefined || this.#failure) return
    if (!flight.localAnswer && !this.#session) return this.open()
    this.#queue.splice(this.#queue.indexOf(flight), 1)
    this.#active = flight
    this.#transaction.stop()
    // Local answers too come later than the write that they answer.
    if (flight.localAnswer) return queueMicrotask(() => this.#answerLocally(flight))
    this.#owner = flight.receiver
    this.#options.meter.queries += flight.queries
    this.#session?.run(flight)
  }

  /** The next in line; inside of a transaction, the next of whoever is in it. */
  #next(): Flight | undefined {
    if (!this.#session || this.#session.status === 'I') return this.#queue[0]
    return this.#queue.find(({ receiver }) => receiver === this.#owner)
  }

  /** Says the error where the server would, and ReadyForQuery once the Sync is there. */
  #answerLocally(flight: Flight): void {
    if (this.#active !== flight) return
    const status = this.#session?.status ?? 'I'
    const answer = flight.localAnswer ?? NOTHING
    flight.taken()
    flight.localAnswer = NOTHING
    if (!flight.complete) return flight.receiver.receive(answer)
    flight.receiver.receive(concat([answer, readyForQuery(status)]))
    flight.receiver.finished(flight, status)
    this.#active = undefined
    this.#proceedOrRest()
  }

  #idle(): void {
    const flight = this.#active
    this.#active = undefined
    if (flight) this.#events.answered(flight)
    if (this.#session) this.#proceedOrRest()
  }

  #proceedOrRest(): void {
    if (this.inTransaction && !this.#users.has(this.#owner as UpstreamUser)) return this.#rollBack()
    this.#pump()
    if (this.#active || this.#closing !== undefined) return
    if (this.inTransaction) this.#watchTransaction()
    if (this.busy) return
    this.#events.idle()
    if (this.#users.size === 0 && this.#leaveTimeoutMs > 0) void this.release(this.#leaveTimeoutMs)
  }

  /** The owner of the transaction has left; others may wait behind it. */
  #rollBack(): void {
    this.#active = Flight.internal(queryMessage('rollback'))
    this.#session?.run(this.#active)
  }

  #watchTransaction(): void {
    const { queryTimeoutMs } = this.#options
    this.#transaction.start(queryTimeoutMs, () => {
      void this.close(() => transactionIdle(queryTimeoutMs), queryTimeoutMs)
      this.#releaseUsers()
    })
  }

  /** The driver takes everything that it awaits for failed, so nothing of it may be sent. */
  #refuse(error: NullpoolError): void {
    const flight = this.#active
    this.#active = undefined
    this.#queue = this.#queue.filter(({ receiver }) => receiver !== flight?.receiver)
    flight?.receiver.refused(flight, error)
    this.#proceedOrRest()
  }

  /** The connection has ended by itself. */
  #fail(error: NullpoolError): void {
    if (this.#closing !== undefined) return
    this.#dial = undefined
    this.#session = undefined
    if (this.#failure) return this.#events.closed(undefined)
    this.#stopThenRelease(repeated(error), this.#options.queryTimeoutMs)
    this.#events.closed(error)
  }

  /** Whoever is in a transaction gets the error at its next statement; others wait behind it. */
  #stopThenRelease(failure: () => NullpoolError, afterMs: number): void {
    this.#failure ??= failure
    this.#transaction.stop()
    this.#active = undefined
    this.#queue = []
    const waiting = [...this.#users].filter((user) => user.fail(failure))
    if (waiting.length > 0) this.#transaction.start(afterMs, () => this.#releaseUsers())
  }

  #releaseUsers(): void {
    this.#transaction.stop()
    for (const user of this.#users) user.release()
  }
}
