import type { NullpoolError } from '../errors.ts'
import { Cancellation } from './cancellation.ts'
import { Deadline, settledWithin } from './deadline.ts'
import { Dial } from './dial.ts'
import { sayGoodbye } from './farewell.ts'
import { Flight, type FlightReceiver } from './flight.ts'
import { afterOthers, repeated, transactionIdle } from './loss.ts'
import { errorResponse, queryMessage } from './messages.ts'
import { Session } from './session.ts'
import type { UpstreamEvents, UpstreamOptions, UpstreamUser } from './upstream-events.ts'
import { UpstreamUsers } from './upstream-users.ts'

/**
 * The one connection of a request: opened by the first flight, carrying one flight at a time.
 *
 * After a failure it stays failed. After {@link Upstream.release} the next flight opens a new one,
 * which no driver notices, because nothing lives in the session.
 */
export class Upstream {
  #options: UpstreamOptions
  #events: UpstreamEvents
  #users = new UpstreamUsers()
  #queue: Flight[] = []
  #active: Flight | undefined
  #dial: Dial | undefined
  #session: Session | undefined
  #closing: Promise<void> | undefined
  #failure: (() => NullpoolError) | undefined
  /** Whose flight was sent last: the transaction that is open is that receiver's. */
  #owner: FlightReceiver | undefined
  #transaction = new Deadline()
  #cancellation: Cancellation
  #hurried = false

  constructor(options: UpstreamOptions, events: UpstreamEvents) {
    this.#options = options
    this.#events = events
    this.#cancellation = new Cancellation(options.route, (work) => events.background(work))
  }

  /** Whether a flight is under way or waits. */
  get busy(): boolean {
    return this.#active !== undefined || this.#queue.length > 0
  }

  /** Whether a connection is open or being opened or closed. */
  get connected(): boolean {
    return (this.#session ?? this.#dial ?? this.#closing) !== undefined
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
   * one to leave closes the connection.
   */
  leave(user: UpstreamUser): void {
    this.#users.remove(user)
    this.#queue = this.#queue.filter(({ receiver }) => receiver !== user)
    const flight = this.#active
    if (flight && flight.receiver !== user) return
    if (!flight || flight.localAnswer) return this.#idle()
    this.resume()
    flight.abandon(() => this.#session?.send(flight))
  }

  /** Connects before the first flight asks for it. */
  open(): void {
    if (this.connected || this.#failure) return
    const dial = new Dial()
    const startedAt = Date.now()
    this.#dial = dial
    this.#events.opening()
    Session.open(dial, this.#options, {
      ready: () => void this.#cancelUnwanted(),
      idle: () => this.#idle(),
      refused: (error) => this.#refuse(error),
      expired: (error) => this.#expire(error),
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
    if (flight.localAnswer) return queueMicrotask(() => this.#answerLocally(flight))
    this.#session?.send(flight)
    void this.#cancelUnwanted()
  }

  /** From now on nobody is expected to go on with a cursor or a COPY. */
  hurry(): void {
    this.#hurried = true
    this.#session?.hurry(this.#options.closeTimeoutMs)
  }

  /** Stops reading answers. */
  pause(): void {
    this.#session?.pause()
  }

  /** Reads on. */
  resume(): void {
    this.#session?.resume()
  }

  /**
   * Stops what a driver is at: the server is asked to, or, where nothing was sent, it is answered here
   * as the server would. Resolves when the request has been dealt with, and never rejects.
   */
  async cancel(processId: number): Promise<void> {
    const mine = ({ receiver }: Flight): boolean => this.#users.processId(receiver) === processId
    const waiting = this.#queue.find(mine)
    if (this.#active && mine(this.#active)) {
      this.#cancellation.want(this.#active)
      await this.#cancelUnwanted()
    } else if (waiting) {
      waiting.localAnswer ??= errorResponse('57014', 'canceling statement due to user request')
      this.#pump()
    }
  }

  async #cancelUnwanted(): Promise<void> {
    await this.#cancellation.pursue(this.#active, this.#session?.key)
    this.#pump()
  }

  /** Whether a transaction is open. */
  get inTransaction(): boolean {
    return (this.#session?.status ?? 'I') !== 'I'
  }

  /** Closes an idle connection; the next flight opens another. Never rejects. */
  release(): Promise<void> {
    const session = this.#session
    if (!session || this.busy || this.inTransaction) return this.#closing ?? Promise.resolve()
    return this.#close(session)
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
    const underWay = this.#active?.localAnswer ? undefined : this.#active
    const { closeTimeoutMs } = this.#options
    this.#stop(failure, closeTimeoutMs)
    this.#dial?.giveUp()
    if (!session) return this.#closing ?? Promise.resolve()
    const closing = this.#close(session, underWay, error)
    void settledWithin(closing, Math.min(cancelAfterMs, closeTimeoutMs / 2)).then((ended) => {
      if (!ended && session.busy && session.key) void this.#cancellation.request(session.key)
    })
    return closing
  }

  #close(session: Session, underWay?: Flight, error?: NullpoolError): Promise<void> {
    this.#session = undefined
    const goodbye = settledWithin(sayGoodbye(session, underWay), this.#options.closeTimeoutMs)
    this.#closing = goodbye.then((ended) => {
      if (!ended) session.destroy()
      this.#closing = undefined
      this.#events.closed(error)
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
    if (this.#hurried) session.hurry(this.#options.closeTimeoutMs)
    this.#events.opened(durationMs)
    this.#pump()
  }

  #pump(): void {
    const flight = this.#next()
    if (!flight || this.#active || this.#closing !== undefined || this.#failure) return
    if (!flight.localAnswer && this.#cancellation.underWay) return
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

  #answerLocally(flight: Flight): void {
    if (this.#active !== flight || !flight.answerLocally(this.#session?.status ?? 'I')) return
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
    if (this.inTransaction && !this.#users.processId(this.#owner)) return this.#rollBack()
    this.#pump()
    if (this.#active || this.#closing !== undefined) return
    if (this.inTransaction) this.#watchTransaction()
    if (this.busy) return
    this.#events.idle()
    if (this.#users.deserted) void this.release()
  }

  /** The owner of the transaction has left; others may wait behind it. */
  #rollBack(): void {
    this.#active = Flight.internal(queryMessage('rollback'))
    this.#session?.run(this.#active)
  }

  #watchTransaction(): void {
    const { queryTimeoutMs } = this.#options
    this.#transaction.start(queryTimeoutMs, () => {
      const error = transactionIdle(queryTimeoutMs)
      void this.close(repeated(error), Number.POSITIVE_INFINITY, error)
      this.#users.release()
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

  /** Nobody goes on with the flight under way; the server may be there, and is told. */
  #expire(error: NullpoolError): void {
    if (this.#closing === undefined) void this.close(repeated(error), 0, error)
  }

  /** The connection has ended by itself. */
  #fail(error: NullpoolError): void {
    if (this.#closing !== undefined) return
    this.#dial = undefined
    this.#session = undefined
    if (this.#failure) return this.#events.closed(undefined)
    const others = this.#options.meter.queries > (this.#active?.queries ?? 0)
    const failure = repeated(others ? afterOthers(error) : error)
    this.#stop(failure, this.#options.queryTimeoutMs)
    this.#events.closed(error)
  }

  #stop(failure: () => NullpoolError, afterMs: number): void {
    this.#failure ??= failure
    this.#transaction.stop()
    this.#active = undefined
    this.#queue = []
    this.#users.fail(this.#failure, afterMs)
  }
}
