import type { NullpoolError } from '../errors.ts'
import { changesMeaning } from './changes-meaning.ts'
import { controlWords } from './control-statement.ts'
import { asksToDescribe } from './describing.ts'
import { Flight } from './flight.ts'
import type { FlightCarrier } from './flight-carrier.ts'
import type { FlightReceiver } from './flight-receiver.ts'
import type { FrontListener, FrontOptions } from './front-options.ts'
import { answerOf, localGreeting, readyForQuery, refused } from './local-answers.ts'
import { MessageReader } from './message-reader.ts'
import {
  Frontend,
  isCopy,
  MESSAGE_LIMIT,
  statementText,
  type TransactionStatus,
} from './messages.ts'
import { Prologue } from './prologue.ts'
import { StartupPacket } from './startup-packet.ts'
import { Transaction } from './transaction.ts'
import { leavesTransaction } from './transaction-control.ts'
import type { UpstreamUser } from './upstream-events.ts'

const NOTHING: Uint8Array = new Uint8Array()

/**
 * What a driver takes for a server: it trusts it, it is ready at once, and it never goes away. Behind
 * it, flights of the driver go to the upstream. When the upstream has failed, each flight is answered
 * with the failure, so that a driver never reconnects and never waits.
 */
export class Front implements FlightReceiver, UpstreamUser {
  #owner: Front
  #upstream: FlightCarrier
  #listener: FrontListener
  #reader = new MessageReader(MESSAGE_LIMIT)
  #started = false
  #startup = new StartupPacket()
  #ended = false
  /** What the driver is adding to. */
  #current: Flight | undefined
  /** What has been submitted and not yet been answered. */
  #flights: Flight[] = []
  #status: TransactionStatus = 'I'
  #transaction: Transaction
  #prologue: Prologue | undefined
  #failure: (() => NullpoolError) | undefined
  #guard: FrontOptions['guard']
  #failed: FrontOptions['failed']
  #explain: FrontOptions['explain']
  #isTransaction: boolean
  #stays: boolean | undefined
  #retired = false
  /** Errors that are about to be told. */
  #untold = 0
  /** What the driver said last after the failure. */
  #statement: Uint8Array | undefined

  constructor(upstream: FlightCarrier, listener: FrontListener, options: FrontOptions = {}) {
    const { settings = [], begin, guard, failed, explain, inside, stays } = options
    this.#guard = guard
    this.#upstream = upstream
    this.#listener = listener
    this.#failed = failed
    this.#explain = explain
    this.#stays = stays
    this.#isTransaction = begin !== undefined || inside !== undefined
    this.#owner = inside ?? this
    this.#prologue = settings.length > 0 ? new Prologue(settings) : undefined
    this.#transaction = inside ? inside.#transaction : new Transaction(this.#prologue, begin)
  }

  get owner(): Front {
    return this.#owner
  }

  get placeName(): string | undefined {
    const { where } = this.#upstream
    return where.isStrange ? undefined : where.place(this.#prologue?.meaning ?? '').name()
  }

  /** The one that this front is for, with every other front in it. */
  get transaction(): Pick<Transaction, 'conclude' | 'isFailed' | 'outcome'> {
    return this.#transaction
  }

  /** Whether the end of a reading transaction can still fail: a statement has, or it was let write. */
  get endMatters(): boolean {
    return this.#status !== 'T' || this.#flights.length > 0 || this.#transaction.endMatters
  }

  /** The driver is not to be heard any more: an open transaction is rolled back, whatever comes fails. */
  retire(failure: () => NullpoolError): void {
    // A driver's way to cancel is a front too, and fails nobody.
    if (this.#ended) return
    this.#failed = undefined
    this.#explain = undefined
    this.#retired = true
    this.#upstream.leave(this, false)
    this.fail(failure)
  }

  get failure(): (() => NullpoolError) | undefined {
    return this.#failure
  }

  /** Whether an error is about to be told: what the driver awaits has failed already. */
  get failing(): boolean {
    return this.#untold > 0
  }

  /** Takes bytes of the driver; calls back once they were handed to the runtime. */
  write(bytes: Uint8Array, taken?: () => void): void {
    if (this.#ended) return
    const rest = this.#started ? bytes : this.#start(bytes)
    this.#reader.push(rest)
    let flight: Flight | undefined
    for (;;) {
      const message = this.#reader.next()
      if (!message || this.#ended) break
      flight = this.#accept(message)
    }
    if (!taken) return
    if (flight) flight.onTaken(taken)
    else queueMicrotask(taken)
    if (flight) this.#upstream.proceed(flight)
  }

  /** The driver closes its side. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#upstream.leave(this, !this.#stays)
    queueMicrotask(() => this.#listener.closed())
  }

  /** The driver wants no more bytes for now. */
  pause(): void {
    if (this.#flights.length > 0) this.#upstream.read(false)
  }

  /** The driver wants bytes again. */
  resume(): void {
    this.#upstream.read(true)
  }

  receive(bytes: Uint8Array): void {
    if (!this.#ended) this.#listener.data(bytes)
  }

  finished(flight: Flight, status: TransactionStatus): void {
    this.#flights = this.#flights.filter((other) => other !== flight)
    if (this.#current === flight) this.#current = undefined
    this.#status = this.#transaction.finished(flight, status)
    this.#upstream.where.ended(flight, status)
  }

  get deferring(): boolean {
    return !this.#isTransaction && this.#transaction.deferred !== undefined
  }

  reviews(flight: Flight, status: TransactionStatus, settled: boolean): void {
    this.#transaction.reviews(flight, status, settled)
  }

  departs(flight: Flight, status: TransactionStatus, settled: boolean): void {
    this.#transaction.departs(flight, status, settled)
  }

  refused(flight: Flight, error: NullpoolError): void {
    this.#transaction.returned(flight)
    this.finished(flight, this.#status)
    this.#answerWith(() => error)
  }

  fail(failure: () => NullpoolError): boolean {
    const explain = this.#explain
    this.#failure ??= explain ? () => explain(failure()) : failure
    this.#failed?.(this.#failure)
    if (this.#flights.length > 0) this.#answerWith(this.#failure)
    const speaks = this.#flights.length === 0 && this.#status !== 'I'
    return speaks && !this.#isTransaction && !this.#retired
  }

  release(): boolean {
    if (!this.#failure || this.#status === 'I') return true
    if (this.failing || this.#flights.length > 0) return false
    if (this.#listener.released) this.#later(() => this.#listener.released?.())
    else {
      this.#status = 'I'
      this.#later(() => this.#listener.data(readyForQuery('I')))
    }
    return true
  }

  /** Takes the packet without a type that comes first; returns what lies behind it. */
  #start(bytes: Uint8Array): Uint8Array {
    const packet = this.#startup.add(bytes)
    if (!packet) return NOTHING
    this.#started = true
    if (packet.says === 'startup') {
      const processId = this.#retired ? 0 : this.#upstream.join(this)
      this.#later(() => this.#listener.data(localGreeting({ processId, secret: 0 })))
      return packet.rest
    }
    this.#ended = true
    void this.#upstream.cancel(packet.says.processId).then(() => this.#listener.closed())
    return NOTHING
  }

  #accept(message: Uint8Array): Flight | undefined {
    const type = message[0] ?? 0
    if (type === Frontend.terminate) {
      this.end()
      return undefined
    }
    const copying = this.#flights[0]?.wantsSecondSync === true && type === Frontend.sync
    if (isCopy(type) || copying) return this.#acceptCopy(message)
    if (this.#failure) return this.#acceptAfterFailure(message, this.#failure)
    const flight = this.#current ?? new Flight(this)
    // A driver that could not build its statement: nothing is to be asked of the server.
    if (!this.#current && type === Frontend.sync) flight.localAnswer = NOTHING
    this.#current = flight
    if (type === Frontend.flush && asksToDescribe(flight)) {
      flight.describe()
      return this.#send(flight)
    }
    if (type === Frontend.parse || type === Frontend.query) this.#look(flight, message)
    if (!flight.add(message)) return flight
    if (flight.complete) this.#current = undefined
    return this.#send(flight)
  }

  /** Answers a statement here that no server is to see. */
  #look(flight: Flight, message: Uint8Array): void {
    flight.localAnswer = answerOf(message) ?? flight.localAnswer
    const text = statementText(message)
    this.#transaction.look(text)
    const { where } = this.#upstream
    // In a transaction that has failed the server describes nothing, and neither does anybody here.
    const failed = this.#status === 'E' ? '/failed' : ''
    flight.place = where.place(`${this.#prologue?.meaning ?? ''}${failed}`)
    const refusal = this.#guard?.(text)
    if (refusal) flight.localAnswer = refused(refusal)
    const change = refusal ? undefined : changesMeaning(text)
    if (change) where.change(flight, change)
  }

  #send(flight: Flight): Flight {
    if (this.#flights.includes(flight)) {
      this.#upstream.proceed(flight)
    } else {
      this.#flights.push(flight)
      this.#upstream.submit(flight)
    }
    return flight
  }

  #acceptCopy(message: Uint8Array): Flight | undefined {
    // The rows of a COPY belong to the flight that is being answered; after its end they are void.
    const flight = this.#failure ? undefined : this.#flights[0]
    if (!flight?.copying && !flight?.wantsSecondSync) return undefined
    flight.add(message)
    this.#upstream.proceed(flight)
    return flight
  }

  #acceptAfterFailure(message: Uint8Array, failure: () => NullpoolError): undefined {
    const type = message[0]
    if (type === Frontend.query || type === Frontend.parse) this.#statement = message
    if (type === Frontend.query || type === Frontend.sync || type === Frontend.flush) {
      this.#answerWith(failure)
    }
    return undefined
  }

  /** Fails what the driver awaits, then lets it send its next flight. */
  #answerWith(failure: () => NullpoolError): void {
    const statement = this.#flights.at(-1)?.statement ?? this.#statement
    this.#flights = []
    this.#current = undefined
    // A driver that wanted to leave its transaction takes it for left, whatever became of it.
    const left =
      this.#status === 'I' || leavesTransaction((statement && controlWords(statement)) ?? '')
    const status = left ? 'I' : 'E'
    this.#status = status
    this.#untold += 1
    this.#later(() => {
      this.#untold -= 1
      this.#listener.error(failure())
      this.#listener.data(readyForQuery(status))
    })
  }

  #later(task: () => void): void {
    queueMicrotask(() => {
      if (!this.#ended) task()
    })
  }
}
