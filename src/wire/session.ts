import type { NullpoolError } from '../errors.ts'
import { Delivery } from './delivery.ts'
import type { Flight } from './flight.ts'
import { Greeting } from './greeting.ts'
import type { Login } from './handshake.ts'
import { Inbox } from './inbox.ts'
import { readyForQuery } from './local-answers.ts'
import { closedByServer, closedEarly, connectTimeout } from './loss.ts'
import type { MessageReader } from './message-reader.ts'
import {
  Backend,
  type BackendKey,
  concat,
  type TransactionStatus,
  terminateMessage,
} from './messages.ts'
import type { Meter } from './meter.ts'
import type { NamedStatements } from './named-statements.ts'
import { Outbox } from './outbox.ts'
import { SearchPath } from './search-path.ts'
import { throwIfFatal } from './server-failure.ts'
import type { SessionEvents, SessionOptions } from './session-events.ts'
import type { Connection } from './transport.ts'
import { transportFailure } from './transport-failure.ts'
import { Turn } from './turn.ts'
import { Waiters } from './waiters.ts'
import { checkAnswer } from './well-formed.ts'

/** One authenticated connection. It carries flights in order and knows whose turn it is. */
export class Session {
  /** The transaction status of the last ReadyForQuery. */
  status: TransactionStatus = 'I'
  readonly searchPath: SearchPath = new SearchPath()
  /** What gives its statements names. */
  readonly names: NamedStatements | undefined
  /** What has ended it, where nobody wanted it to. */
  failure: NullpoolError | undefined
  /** Called once, when nothing more will come of it. */
  onEnded: () => void = () => undefined
  #options: SessionOptions
  #events: SessionEvents
  #connection: Connection
  /** What has been sent and not been answered, the oldest first. */
  #flights: Flight[] = []
  #ready = false
  #ended = false
  #turn: Turn
  #outbox: Outbox
  #inbox: Inbox
  #idleWaiters = new Waiters()
  #delivery = new Delivery()
  #greeting: Greeting
  /** Leaves with the first flight, or by itself where there is none. */
  #proof: Uint8Array | undefined

  /** Takes a connection on which our part of the login is done; see {@link openSession}. */
  constructor(
    options: SessionOptions,
    events: SessionEvents,
    connection: Connection,
    reader: MessageReader,
    login: Login,
  ) {
    this.#options = options
    this.#events = events
    this.#connection = connection
    this.#greeting = new Greeting(login)
    this.#proof = login.proof
    this.#outbox = new Outbox(connection, (error) => this.#writeFailed(error), login.unasked)
    this.#turn = new Turn(options.queryTimeoutMs, (error) => events.expired(error))
    this.names = options.names?.((bytes) => void this.#write(bytes).catch(() => undefined))
    this.#inbox = this.#listen(connection, reader)
  }

  /** Carries flights for somebody else from now on. */
  adopt(events: SessionEvents, meter: Meter): void {
    this.#turn.stop()
    this.#events = events
    this.#options = { ...this.#options, meter }
    this.#turn = new Turn(this.#options.queryTimeoutMs, (error) => events.expired(error))
  }

  #listen(connection: Connection, reader: MessageReader): Inbox {
    return new Inbox(connection, reader, this.names, {
      passesRows: () => this.#ready && (this.#flights[0]?.passesRows ?? false),
      received: (bytes) => this.#options.meter.received(bytes),
      rows: (rows) => this.#passRows(rows),
      message: (message) => (this.#ready ? this.#answer(message) : this.#greet(message)),
      emptied: () => {
        this.#handOn(this.#delivery.take())
        this.#watch()
      },
      ended: (error) => this.#lose(error),
    })
  }

  /** Waits for the rest of the login, which has the same deadline as its beginning, and reads on. */
  begin(startedAt: number): void {
    const { connectTimeoutMs, route, meter } = this.#options
    meter.connects += 1
    const left = Math.max(1, connectTimeoutMs - (Date.now() - startedAt))
    this.#turn.await(left, () => {
      this.#lose(
        connectTimeout(route.address, connectTimeoutMs, 'the end of the login', this.#mayHaveRun),
      )
    })
    meter.connectMs += Date.now() - startedAt
    void this.#inbox.readOn()
  }

  /** What a CancelRequest needs, once the server has told it. */
  get key(): BackendKey | undefined {
    return this.#greeting.key
  }

  /** Whether nothing more will come of it. */
  get ended(): boolean {
    return this.#ended
  }

  /** Whether a flight is under way. */
  get busy(): boolean {
    return this.#flights.length > 0
  }

  get #mayHaveRun(): boolean {
    return this.#flights[0]?.sent ?? false
  }

  /** Whether the login is complete. */
  get ready(): boolean {
    return this.#ready
  }

  /** Resolves when nothing is under way, or nothing can be. */
  nextIdle(): Promise<void> {
    return this.#idleWaiters.next()
  }

  /** Sends what a flight has ready and takes its answers. */
  run(flight: Flight): void {
    this.#flights.push(flight)
    this.send(flight)
  }

  /** Sends what has been added to the flight under way. */
  send(flight: Flight): void {
    if (this.#ended) return
    if (flight.over) return queueMicrotask(() => this.#finishHere(flight))
    const bytes = this.names ? this.names.take(flight, this.status) : flight.take()
    this.#write(bytes).then(
      () => {
        flight.taken()
        this.#watch()
      },
      () => undefined,
    )
    this.#watch()
  }

  /** Stops reading, so that the server's send buffer fills, or reads on. */
  read(on: boolean): void {
    this.#inbox.read(on)
    this.#watch()
  }

  /** From now on a driver whose turn it is has this long. */
  hurry(driverTimeoutMs: number): void {
    this.#turn.hurry(driverTimeoutMs)
    this.#watch()
  }

  /** Says goodbye and closes; the owner bounds it. */
  async terminate(): Promise<void> {
    if (this.#ended) return
    this.#end()
    try {
      await this.#write(terminateMessage())
      if (this.#options.route.profile.awaitsClose) await this.#connection.close()
      else this.#connection.destroy()
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
    const already = this.#ended
    this.#ended = true
    this.#turn.stop()
    this.#outbox.open()
    this.#inbox.stop()
    this.#idleWaiters.wake()
    if (!already) this.onEnded()
  }

  /** Gives up, for the transport's error or, without one, because the server has closed. */
  #lose(error?: unknown): void {
    if (this.#ended) return
    const closed = this.#ready ? closedByServer : closedEarly
    const { address } = this.#options.route
    const failed = error !== undefined && transportFailure(error, address, this.#mayHaveRun)
    this.failure = failed || closed(this.#mayHaveRun)
    this.destroy()
    this.#events.lost(this.failure)
  }

  /** Bounds the wait for whoever is to go on with the flight under way. */
  #watch(): void {
    if (!this.#ready || this.#ended) return
    this.#turn.watch(this.#flights[0], this.#outbox.waiting, this.#inbox.paused)
  }

  /** Goes on with the login where no flight does. */
  proceed(): void {
    if (this.#proof) this.#write().catch(() => undefined)
  }

  #write(flight?: Uint8Array): Promise<void> {
    const proof = this.#proof
    this.#proof = undefined
    const bytes = proof && flight ? concat([proof, flight]) : (proof ?? flight)
    if (bytes) this.#options.meter.sent(bytes.length)
    return this.#outbox.write(bytes)
  }

  /** On Workers another request may not write here: that is its failure, not this connection's. */
  #writeFailed(error: unknown): void {
    const failure = transportFailure(error, this.#options.route.address, false)
    const flight = this.#flights.at(-1)
    if (failure.code !== 'ERR_SCOPE_FOREIGN' || this.#ended || !flight) return this.#lose(error)
    this.#flights.pop()
    this.#watch()
    this.#events.refused(flight, failure)
  }

  #passRows(rows: Uint8Array): void {
    this.#handOn(this.#delivery.add(rows))
    this.#flights[0]?.answered(Backend.dataRow)
  }

  #greet(message: Uint8Array): void {
    if (this.#greeting.take(message)) {
      this.searchPath.note(message)
      this.#handOn(this.#delivery.add(message))
    }
    if (message[0] !== Backend.readyForQuery) return
    this.#ready = true
    this.#outbox.open()
    this.#events.ready()
    if (!this.busy) this.#rest()
  }

  #answer(message: Uint8Array): void {
    const type = message[0] ?? 0
    checkAnswer(message)
    if (type === Backend.errorResponse) throwIfFatal(message, this.#mayHaveRun, this.status !== 'I')
    this.searchPath.note(message)
    const [flight] = this.#flights
    const reply = flight ? flight.reply(message) : message
    if (reply) this.#handOn(this.#delivery.add(reply))
    flight?.answered(type)
    if (type !== Backend.readyForQuery) return
    this.status = String.fromCharCode(message[5] ?? 0) as TransactionStatus
    this.#handOn(this.#delivery.take())
    if (reply) this.#finish(flight)
    else if (flight?.awaitsServer) this.send(flight)
  }

  #finish(flight: Flight | undefined): void {
    this.#flights.shift()
    flight?.receiver.finished(flight, this.status)
    this.#rest()
  }

  /** Its driver has asked for nothing more than a ReadyForQuery. */
  #finishHere(flight: Flight): void {
    if (this.#flights[0] !== flight) return
    flight.taken()
    flight.receiver.receive(readyForQuery(flight.beginning?.isMissing ? 'T' : this.status))
    this.#finish(flight)
    this.#watch()
  }

  #rest(): void {
    // A stream that its reader has left is paused and never resumed.
    this.#inbox.read(true)
    if (!this.busy) this.#idleWaiters.wake()
    this.#events.idle()
  }

  #handOn(piece: Uint8Array | undefined): void {
    if (piece) this.#flights[0]?.receiver.receive(piece)
  }
}
