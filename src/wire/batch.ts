import type { NullpoolError } from '../errors.ts'
import { BatchFlight } from './batch-flight.ts'
import type { Flight } from './flight.ts'
import type { FlightCarrier } from './flight-carrier.ts'
import type { FlightReceiver } from './flight-receiver.ts'
import { errorResponse, readyForQuery } from './local-answers.ts'
import { concat, Frontend, type TransactionStatus } from './messages.ts'
import { NOT_ALONE, Prologue, type Setting } from './prologue.ts'
import { refusalInBatch } from './statement-refusals.ts'
import { type Outcome, Transaction } from './transaction.ts'
import type { UpstreamUser } from './upstream-events.ts'
import type { Whereabouts } from './whereabouts.ts'

/**
 * Takes one flight of each of several fronts to an upstream, all of them as one: one trip, and one
 * implicit transaction. What the isolate does not know yet of the statements is asked before, for all of
 * them together.
 */
export class Batch implements FlightCarrier, UpstreamUser {
  readonly deferring = false
  #upstream: FlightCarrier
  #size: number
  #transaction: Transaction
  #processId = 0
  /** In the order of the statements. */
  #fronts: UpstreamUser[] = []
  #flights = new Map<FlightReceiver, Flight>()
  #underWay: BatchFlight | undefined
  #ran = false
  /** What has failed first. The others hear of it later, so that whoever waits for all hears its error. */
  #culprit: Flight | undefined
  /** What has heard of its failure. */
  #told = new Set<Flight>()
  #failure: (() => NullpoolError) | undefined

  constructor(upstream: FlightCarrier, size: number, settings: readonly Setting[]) {
    this.#upstream = upstream
    this.#size = size
    this.#transaction = new Transaction(settings.length > 0 ? new Prologue(settings) : NOT_ALONE)
  }

  /** What is certain of it, where the connection was lost. */
  get outcome(): Outcome | undefined {
    if (!this.#failure) return undefined
    const { sent, failed } = this.#ran ? (this.#underWay ?? {}) : {}
    return sent && !failed ? 'unknown' : 'rolled back'
  }

  get where(): Whereabouts {
    return this.#upstream.where
  }

  join(user: UpstreamUser): number {
    this.#fronts.push(user)
    if (this.#fronts.length === 1) this.#processId = this.#upstream.join(this)
    if (this.#failure) user.fail(this.#failure)
    return this.#processId
  }

  /** Fronts go together; see {@link Batch.retire}. */
  leave(): void {}

  /** Nobody waits for it any more. */
  retire(): void {
    if (this.#underWay) this.#underWay.muted = true
    this.#upstream.leave(this, false)
  }

  submit(flight: Flight): void {
    this.#flights.set(flight.receiver, flight)
    this.proceed(flight)
  }

  proceed(flight: Flight): void {
    if (this.#flights.get(flight.receiver) !== flight) return
    if (this.#culprit) return queueMicrotask(() => this.#giveUp(flight))
    if (!flight.complete) return flight.localAnswer ? answer(flight) : this.#advance()
    // A driver that could not write its values has failed its statement by itself.
    if (!/[QE]/.test(flight.requests)) return this.#refuse(flight)
    if (isEmpty(flight)) flight.localAnswer = undefined
    const refusal = flight.localAnswer ?? refusalInBatch(flight)
    if (refusal) this.#refuse(flight, refusal)
    else this.#advance()
  }

  read(on: boolean): void {
    this.#upstream.read(on)
  }

  cancel(): Promise<void> {
    return this.#upstream.cancel(this.#processId)
  }

  receive(): void {}

  reviews(): void {}

  departs(flight: Flight, status: TransactionStatus, settled: boolean): void {
    this.#transaction.departs(flight, status, settled)
  }

  finished(flight: Flight): void {
    if (flight !== this.#underWay) return
    const { failed, parts, ends } = this.#underWay
    this.#underWay = undefined
    if (this.#culprit) return
    if (failed) return this.#break(failed)
    for (const part of parts) {
      if (this.#ran) this.#close(part, ends.get(part))
      else part.reply(readyForQuery('I'))
    }
    this.#advance()
  }

  refused(_flight: Flight, error: NullpoolError): void {
    for (const [front, flight] of this.#flights) front.refused(flight, error)
  }

  fail(failure: () => NullpoolError): boolean {
    this.#failure ??= failure
    for (const front of this.#fronts) front.fail(failure)
    return false
  }

  release(): boolean {
    return true
  }

  /** Sends what can be sent, once every driver has said its part. */
  #advance(): void {
    if (this.#underWay || this.#flights.size < this.#size) return
    const flights = this.#fronts.flatMap((front) => this.#flights.get(front) ?? [])
    const asking = flights.filter(
      ({ complete, localAnswer, sent }) => !complete && !localAnswer && !sent,
    )
    this.#ran = flights.every(({ complete }) => complete)
    // Also what servers could read in two ways: each of them takes a single statement then.
    if (this.#ran) for (const flight of flights) flight.becomeExtended()
    if (this.#ran || asking.length > 0) this.#send(this.#ran ? flights : asking)
  }

  #send(parts: readonly Flight[]): void {
    this.#underWay = new BatchFlight(this, parts, !this.#ran)
    this.#upstream.submit(this.#underWay)
  }

  #refuse(flight: Flight, error?: Uint8Array): void {
    queueMicrotask(() => {
      if (this.#culprit || !this.#isOpen(flight)) return
      if (error) flight.receiver.receive(error)
      this.#break(flight)
    })
  }

  /** One has failed, and its driver knows; the others fail with it. */
  #break(culprit: Flight): void {
    this.#culprit = culprit
    if (this.#underWay) this.#underWay.muted = true
    this.#told.add(culprit)
    this.#giveUp(culprit)
  }

  #giveUp(flight: Flight): void {
    const error = this.#told.has(flight) ? undefined : undone()
    if (flight !== this.#culprit && this.#isOpen(this.#culprit)) return
    if (flight.complete) this.#close(flight, error)
    // Of whoever has its answer there is more to come.
    else if (error && !flight.localAnswer) {
      this.#told.add(flight)
      flight.receiver.receive(error)
    }
    if (flight !== this.#culprit || !flight.complete) return
    for (const other of this.#flights.values()) this.#giveUp(other)
  }

  #isOpen(flight: Flight | undefined): boolean {
    return flight !== undefined && this.#flights.get(flight.receiver) === flight
  }

  #close(flight: Flight, end: Uint8Array = new Uint8Array()): void {
    this.#flights.delete(flight.receiver)
    flight.receiver.receive(concat([end, readyForQuery('I')]))
    flight.receiver.finished(flight, 'I')
  }
}

/** What is known of a statement is told in its own time, never inside of the driver's write. */
function answer(flight: Flight): void {
  queueMicrotask(() => {
    if (flight.localAnswer?.length) flight.answerLocally('I')
  })
}

/** A statement without text, which is part of the batch as any other. */
function isEmpty({ statement }: Flight): boolean {
  return statement?.[0] === Frontend.query && statement[5] === 0
}

function undone(): Uint8Array {
  return errorResponse('25P02', 'The batch took no effect: another statement of it has failed.')
}
