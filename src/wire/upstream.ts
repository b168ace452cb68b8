import type { NullpoolError } from '../errors.ts'
import { Cancellation } from './cancellation.ts'
import { Deadline, settledWithin } from './deadline.ts'
import type { Flight } from './flight.ts'
import type { FlightCarrier } from './flight-carrier.ts'
import { FlightQueue } from './flight-queue.ts'
import { errorResponse } from './local-answers.ts'
import { afterOthers, repeated, streamIdle, transactionIdle } from './loss.ts'
import { rollback } from './rollback.ts'
import type { Session } from './session.ts'
import type { UpstreamEvents, UpstreamOptions, UpstreamUser } from './upstream-events.ts'
import { UpstreamSession } from './upstream-session.ts'
import { UpstreamUsers } from './upstream-users.ts'
import { WaitingDeadline } from './waiting-deadline.ts'
import { Whereabouts } from './whereabouts.ts'

/**
 * The one connection of a request: opened by the first flight, carrying one flight at a time.
 *
 * After a failure it stays failed. After {@link Upstream.release} the next flight opens a new one,
 * which no driver notices, because nothing lives in the session.
 */
export class Upstream implements FlightCarrier {
  readonly where: Whereabouts
  #options: UpstreamOptions
  #events: UpstreamEvents
  #users = new UpstreamUsers()
  #queue: FlightQueue
  #connection: UpstreamSession
  #failure: (() => NullpoolError) | undefined
  #transaction = new Deadline()
  #waiting: WaitingDeadline
  #cancellation: Cancellation
  #hurried = false
  #told = {
    ready: () => void this.#cancelUnwanted(),
    idle: () => this.#ended(),
    refused: (flight: Flight, error: NullpoolError) => this.#refuse(flight, error),
    expired: (error: NullpoolError) => this.#expire(error),
    lost: (error: NullpoolError) => this.#fail(error),
  }

  constructor(options: UpstreamOptions, events: UpstreamEvents) {
    this.#options = options
    this.#events = events
    this.where = new Whereabouts(options.route.address, options.credentials)
    this.#connection = new UpstreamSession(options, events)
    this.#queue = new FlightQueue(options.route.profile.concurrency)
    this.#waiting = new WaitingDeadline(this.#queue, options, () => this.inTransaction)
    this.#cancellation = new Cancellation(options.route, (work) => events.background(work))
  }

  /** Whether a flight is under way or waits. */
  get busy(): boolean {
    return this.#queue.busy
  }

  /** Whether a statement has been sent whose answer is not complete. */
  get running(): boolean {
    return this.#queue.sent.length > 0
  }

  /** Whether a connection is open or being opened or closed. */
  get connected(): boolean {
    return this.#connection.connected
  }

  get #session(): Session | undefined {
    return this.#connection.current
  }

  /**
   * Joins; from now on a failure is told to `user`.
   *
   * @returns the process number by which its driver may ask to {@link Upstream.cancel}.
   */
  join(user: UpstreamUser): number {
    if (this.#failure) user.fail(this.#failure)
    return this.#users.add(user)
  }

  /**
   * Leaves: what it has under way is brought to its end, its transaction is rolled back, and the last
   * one to leave closes the connection, unless its leaving does not count.
   */
  leave(user: UpstreamUser, counts = true): void {
    this.#users.remove(user, counts)
    this.#queue.forget(user)
    const { first } = this.#queue
    if (!first) return this.#proceedOrRest()
    if (first.receiver !== user) return
    if (first.localAnswer) return this.#ended()
    this.read(true)
    this.#abandon()
  }

  /** Brings what is under way to its end without whoever awaits it. */
  #abandon(session = this.#session): void {
    for (const flight of this.#queue.sent) flight.abandon(() => session?.send(flight))
  }

  /** Connects before the first flight asks for it. */
  open(): void {
    if (this.connected || this.#failure) return
    this.#connection.open(this.#told, (session, ms) => this.#opened(session, ms))
  }

  /** Queues a flight that has something to send. */
  submit(flight: Flight): void {
    this.#queue.add(flight)
    this.#pump()
    this.#waiting.watch()
  }

  /** Sends what has been added to a flight since. */
  proceed(flight: Flight): void {
    if (!this.#queue.underWay.includes(flight)) return
    if (flight.localAnswer) return queueMicrotask(() => this.#answerLocally(flight))
    if (flight.sent) this.#session?.send(flight)
    else this.#queue.putBack(flight)
    this.#pump()
    void this.#cancelUnwanted()
  }

  /** From now on nobody is expected to go on with a cursor or a COPY. */
  hurry(): void {
    this.#hurried = true
    this.#session?.hurry(this.#options.closeTimeoutMs)
  }

  /** Stops reading answers, or reads on. */
  read = (on: boolean): void => this.#session?.read(on)

  /**
   * Stops what a driver is at: the server is asked to, or, where nothing was sent, it is answered here
   * as the server would. Resolves when the request has been dealt with, and never rejects.
   */
  async cancel(processId: number): Promise<void> {
    const flight = this.#queue.oldest((user) => this.#users.processId(user) === processId)
    if (!flight) return
    if (this.#queue.underWay.includes(flight)) {
      this.#cancellation.want(flight)
      return this.#cancelUnwanted()
    }
    flight.localAnswer ??= errorResponse('57014', 'canceling statement due to user request')
    this.#pump()
  }

  async #cancelUnwanted(): Promise<void> {
    if (!this.#cancellation.wanted) return
    await this.#cancellation.pursue(this.#queue.first, this.#session?.key)
    this.#pump()
  }

  /** Whether a transaction is open. */
  get inTransaction(): boolean {
    return (this.#session?.status ?? 'I') !== 'I'
  }

  /** Closes an idle connection; the next flight opens another. Never rejects. */
  release(): Promise<void> {
    const isIdle = !this.busy && !this.inTransaction
    return isIdle ? this.#close() : (this.#connection.closing ?? Promise.resolve())
  }

  /**
   * Ends for good: waiting flights fail, the one under way is brought to its end, an open transaction
   * is rolled back, the server is told. Never rejects and takes `closeTimeoutMs` at the most.
   *
   * @param cancelAfterMs - How long the statement under way may run on before it is cancelled.
   * @param error - Why, where it is not on purpose.
   */
  close(
    failure: () => NullpoolError,
    cancelAfterMs: number = Number.POSITIVE_INFINITY,
    error?: NullpoolError,
  ): Promise<void> {
    const session = this.#session
    if (session) this.#abandon()
    this.#stop(failure, this.#options.closeTimeoutMs)
    this.#connection.giveUp()
    const closing = this.#close(error)
    if (!session) return closing
    const limitMs = Math.min(cancelAfterMs, this.#options.closeTimeoutMs / 2)
    void settledWithin(closing, limitMs).then((ended) => {
      if (!ended) void this.#cancellation.pursueAll(session, () => this.#queue.nextEnd())
    })
    return closing
  }

  #close(error?: NullpoolError): Promise<void> {
    return this.#connection.close(this.#cancellation, error, () => this.#pump())
  }

  #opened(session: Session, durationMs: number): void {
    if (this.#failure) {
      if (session.ended) return
      session.destroy()
      return this.#events.closed(undefined)
    }
    this.#connection.hold(session)
    this.where.follow(session.searchPath)
    if (this.#hurried) session.hurry(this.#options.closeTimeoutMs)
    this.#events.opened(durationMs)
    this.#pump()
    session.proceed()
  }

  #pump(): void {
    for (;;) {
      const flight = this.#queue.next(this.#session?.status)
      if (!flight || this.#failure) return
      this.#transaction.stop()
      if (this.#connection.closing !== undefined) return
      if (!flight.localAnswer && this.#cancellation.underWay) return
      if (!flight.localAnswer && !this.#session) return this.open()
      if (this.#session && !this.#queue.prepare(flight, this.#session.status)) return
      this.#queue.go(flight)
      // Local answers too come later than the write that they answer.
      if (flight.localAnswer) return queueMicrotask(() => this.#answerLocally(flight))
      this.#options.meter.queries += flight.queries
      this.#session?.run(flight)
      void this.#cancelUnwanted()
    }
  }

  #answerLocally(flight: Flight): void {
    if (this.#queue.first !== flight || !flight.localAnswer) return
    if (flight.answerLocally(this.#session?.status ?? 'I')) {
      this.#queue.ended()
      return this.#proceedOrRest()
    }
    const { queryTimeoutMs: ms } = this.#options
    this.#transaction.start(ms, () => this.#expire(streamIdle(ms)))
  }

  #ended(): void {
    const flight = this.#queue.ended()
    if (flight) this.#events.answered(flight)
    if (this.#session) this.#proceedOrRest()
    this.#waiting.watch()
  }

  #proceedOrRest(): void {
    if (this.#queue.first) return this.#pump()
    if (this.inTransaction && !this.#users.processId(this.#queue.owner)) {
      // The owner of the transaction has left; others may wait behind it.
      const end = rollback()
      this.#queue.go(end)
      return this.#session?.run(end)
    }
    this.#pump()
    if (this.#queue.first || this.#connection.closing !== undefined) return
    if (this.inTransaction || this.#users.deferring) this.#watchTransaction()
    if (this.busy) return
    this.#events.idle()
    if (this.#users.deserted) void this.release()
  }

  #watchTransaction(): void {
    const { queryTimeoutMs: ms } = this.#options
    this.#transaction.start(ms, () => {
      const error = transactionIdle(ms)
      void this.close(repeated(error), Number.POSITIVE_INFINITY, error)
      this.#users.release()
    })
  }

  /** The driver takes everything that it awaits for failed, so nothing of it may be sent. */
  #refuse(flight: Flight, error: NullpoolError): void {
    this.#queue.refused(flight)
    this.#abandon()
    flight.receiver.refused(flight, error)
    this.#proceedOrRest()
  }

  /** Nobody goes on with the flight under way; the server may be there, and is told. */
  #expire(error: NullpoolError): void {
    if (this.#connection.closing === undefined) void this.close(repeated(error), 0, error)
  }

  /** The connection has ended by itself. */
  #fail(error: NullpoolError): void {
    if (this.#connection.closing !== undefined) return
    this.#connection.forget()
    if (this.#failure) return this.#events.closed(undefined)
    const others = this.#options.meter.queries > this.#queue.statements
    const failure = repeated(others ? afterOthers(error) : error)
    this.#stop(failure, this.#options.queryTimeoutMs)
    this.#events.closed(error)
  }

  #stop(failure: () => NullpoolError, afterMs: number): void {
    this.#failure ??= failure
    this.#transaction.stop()
    this.#waiting.stop()
    this.#queue.clear()
    this.#users.fail(this.#failure, afterMs)
  }
}
