import { Deadline } from './deadline.ts'
import { Delivery } from './delivery.ts'
import { type Dial, dialWithin } from './dial.ts'
import type { Flight } from './flight.ts'
import { Gate } from './gate.ts'
import { closedByServer, closedEarly, connectTimeout, queryTimeout, streamIdle } from './loss.ts'
import {
  Backend,
  type BackendKey,
  HANDSHAKE_MESSAGE_LIMIT,
  MESSAGE_LIMIT,
  MessageReader,
  readBackendKey,
  readErrorFields,
  type TransactionStatus,
  terminateMessage,
} from './messages.ts'
import { Outbox } from './outbox.ts'
import { endsConnection, serverFailure } from './server-failure.ts'
import type { SessionEvents, SessionOptions } from './session-events.ts'
import type { Connection } from './transport.ts'
import { transportFailure } from './transport-failure.ts'

/**
 * One authenticated connection. It carries one flight at a time and knows whose turn it is.
 */
export class Session {
  /** The transaction status of the last ReadyForQuery. */
  status: TransactionStatus = 'I'
  /** What a CancelRequest needs; poolers hand out keys of their own. */
  key: BackendKey | undefined
  #options: SessionOptions
  #events: SessionEvents
  #connection: Connection
  #reader: MessageReader
  #active: Flight | undefined
  #ready = false
  #ended = false
  #deadline = new Deadline()
  #outbox: Outbox
  #driverTimeoutMs: number
  #reading = new Gate()
  #idleWaiters: (() => void)[] = []
  #delivery = new Delivery()

  private constructor(
    options: SessionOptions,
    events: SessionEvents,
    connection: Connection,
    reader: MessageReader,
  ) {
    this.#options = options
    this.#events = events
    this.#connection = connection
    this.#reader = reader
    this.#outbox = new Outbox(connection, (error) => this.#writeFailed(error))
    this.#driverTimeoutMs = options.queryTimeoutMs
  }

  /** Connects and logs in, as far as needed for the first flight to leave. */
  static async open(dial: Dial, options: SessionOptions, events: SessionEvents): Promise<Session> {
    const { route, credentials, connectTimeoutMs, meter } = options
    const startedAt = Date.now()
    const reader = new MessageReader(HANDSHAKE_MESSAGE_LIMIT)
    try {
      const loggingIn = dial.logIn(route, credentials, reader, meter)
      const connection = await dialWithin(dial, loggingIn, route, connectTimeoutMs)
      reader.limit = MESSAGE_LIMIT
      const session = new Session(options, events, connection, reader)
      meter.connects += 1
      session.#awaitReady(startedAt)
      return session
    } catch (error) {
      dial.giveUp()
      throw transportFailure(error, route.address, false)
    }
  }

  /** Whether nothing more will come of it. */
  get ended(): boolean {
    return this.#ended
  }

  /** Whether a flight is under way. */
  get busy(): boolean {
    return this.#active !== undefined
  }

  /** Whether the login is complete. */
  get ready(): boolean {
    return this.#ready
  }

  /** Resolves when nothing is under way, or nothing can be. */
  nextIdle(): Promise<void> {
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  /** Sends what a flight has ready and takes its answers. */
  run(flight: Flight): void {
    this.#active = flight
    this.send(flight)
  }

  /** Sends what has been added to the flight under way. */
  send(flight: Flight): void {
    if (this.#ended) return
    this.#write(flight.take()).then(
      () => {
        flight.taken()
        this.#watch()
      },
      () => undefined,
    )
    this.#watch()
  }

  /** Stops reading, so that the server's send buffer fills. */
  pause(): void {
    this.#reading.close()
    this.#watch()
  }

  /** Reads on. */
  resume(): void {
    this.#reading.open()
    this.#watch()
  }

  /** From now on a driver whose turn it is has this long. */
  hurry(driverTimeoutMs: number): void {
    this.#driverTimeoutMs = driverTimeoutMs
    this.#watch()
  }

  /** Says goodbye and closes; the owner bounds it. */
  async terminate(): Promise<void> {
    if (this.#ended) return
    this.#end()
    try {
      await this.#write(terminateMessage())
      await this.#connection.close()
    } catch {
      this.#connection.destroy()
    }
  }

  /** Closes at once. Never throws. */
  destroy(): void {
    this.#end()
    this.#connection.destroy()
  }

  #end(): void {
    this.#ended = true
    this.#deadline.stop()
    this.#reading.open()
    this.#wakeWaiters()
  }

  #wakeWaiters(): void {
    for (const wake of this.#idleWaiters.splice(0)) wake()
  }

  /** Gives up, for the transport's error or, without one, because the server has closed. */
  #lose(error?: unknown): void {
    if (this.#ended) return
    const mayHaveRun = this.#active?.sent ?? false
    const closed = this.#ready ? closedByServer : closedEarly
    const failure =
      error === undefined
        ? closed(mayHaveRun)
        : transportFailure(error, this.#options.route.address, mayHaveRun)
    this.destroy()
    this.#events.lost(failure)
  }

  /** Waits for the rest of the login, which has the same deadline as its beginning. */
  #awaitReady(startedAt: number): void {
    const { connectTimeoutMs, route, meter } = this.#options
    const left = Math.max(1, connectTimeoutMs - (Date.now() - startedAt))
    this.#deadline.start(left, () => {
      const mayHaveRun = this.#active?.sent ?? false
      this.#lose(
        connectTimeout(route.address, connectTimeoutMs, 'the end of the login', mayHaveRun),
      )
    })
    meter.connectMs += Date.now() - startedAt
    void this.#readOn()
  }

  /** Bounds the wait for whoever is to go on with the flight under way. */
  #watch(): void {
    if (!this.#ready || this.#ended) return
    const flight = this.#active
    if (!flight) return this.#deadline.stop()
    const serverIsNext = flight.awaitsServer || this.#outbox.waiting
    const serverOwes = serverIsNext && !this.#reading.closed
    const [afterMs, error] = serverOwes
      ? [this.#options.queryTimeoutMs, queryTimeout]
      : [this.#driverTimeoutMs, streamIdle]
    this.#deadline.start(afterMs, () => this.#events.expired(error(afterMs)))
  }

  #write(bytes?: Uint8Array): Promise<void> {
    if (bytes) this.#options.meter.sent(bytes.length)
    return this.#outbox.write(bytes)
  }

  /** On Workers another request may not write here: that is its failure, not this connection's. */
  #writeFailed(error: unknown): void {
    const failure = transportFailure(error, this.#options.route.address, false)
    if (failure.code !== 'ERR_SCOPE_FOREIGN' || this.#ended) return this.#lose(error)
    this.#active = undefined
    this.#deadline.stop()
    this.#events.refused(failure)
  }

  async #readOn(): Promise<void> {
    try {
      this.#drain()
      while (!this.#ended) {
        await this.#reading.passed()
        const chunk = await this.#connection.read()
        if (!chunk) return this.#lose()
        this.#options.meter.received(chunk.length)
        this.#reader.push(chunk)
        this.#drain()
      }
    } catch (error) {
      this.#lose(error)
    }
  }

  #drain(): void {
    for (;;) {
      const message = this.#ended ? undefined : this.#reader.next()
      if (!message) break
      if (this.#ready) this.#answer(message)
      else this.#greet(message)
    }
    this.#handOn(this.#delivery.take())
    if (this.#ready && !this.#ended) this.#watch()
  }

  /** What a server says between its verdict on the password and its first ReadyForQuery. */
  #greet(message: Uint8Array): void {
    const type = message[0]
    if (type === Backend.errorResponse) throw serverFailure(readErrorFields(message), false)
    if (type === Backend.backendKeyData) this.key = readBackendKey(message)
    if (type === Backend.parameterStatus) this.#collect(message)
    if (type !== Backend.readyForQuery) return
    this.#ready = true
    this.#events.ready()
    if (!this.#active) this.#rest()
  }

  #answer(message: Uint8Array): void {
    const type = message[0] ?? 0
    if (type === Backend.errorResponse) this.#throwIfFatal(message)
    this.#collect(message)
    this.#active?.answered(type)
    if (type !== Backend.readyForQuery) return
    this.status = String.fromCharCode(message[5] ?? 0) as TransactionStatus
    this.#handOn(this.#delivery.take())
    const flight = this.#active
    this.#active = undefined
    flight?.receiver.finished(flight, this.status)
    this.#rest()
  }

  #rest(): void {
    // A stream that its reader has left is paused and never resumed.
    this.#reading.open()
    this.#wakeWaiters()
    this.#events.idle()
  }

  #throwIfFatal(message: Uint8Array): void {
    const fields = readErrorFields(message)
    if (endsConnection(fields))
      throw serverFailure(fields, this.#active?.sent ?? false, this.status !== 'I')
  }

  #collect(message: Uint8Array): void {
    this.#handOn(this.#delivery.add(message))
  }

  #handOn(piece: Uint8Array | undefined): void {
    if (piece) this.#active?.receiver.receive(piece)
  }
}
