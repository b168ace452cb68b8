import type { Flight } from './flight.ts'
import { type FlightReceiver, ownerOf } from './flight-receiver.ts'
import type { TransactionStatus } from './messages.ts'
import { Waiters } from './waiters.ts'

/** The flights of one upstream: those that wait, and those that are under way, in order. */
export class FlightQueue {
  #waiting: Flight[] = []
  #underWay: Flight[] = []
  #concurrency: number
  /** Whose flight was sent last: the transaction that is open is that receiver's. */
  #owner: FlightReceiver | undefined
  #ends = new Waiters()

  /** Takes how many flights of one driver may be under way together. */
  constructor(concurrency: number) {
    this.#concurrency = concurrency
  }

  /** Whether a flight is under way or waits. */
  get busy(): boolean {
    return this.#underWay.length > 0 || this.#waiting.length > 0
  }

  /** What has been sent, or is being answered here, the oldest first. */
  get underWay(): readonly Flight[] {
    return this.#underWay
  }

  /** What the server is at. */
  get sent(): readonly Flight[] {
    return this.#underWay.filter(({ localAnswer }) => !localAnswer)
  }

  /** How many statements are under way. */
  get statements(): number {
    return this.sent.reduce((sum, { queries }) => sum + queries, 0)
  }

  /** What is being answered. */
  get first(): Flight | undefined {
    return this.#underWay[0]
  }

  /** Whose transaction is open, if one is. */
  get owner(): FlightReceiver | undefined {
    return this.#owner
  }

  /** The oldest that waits, of those who are not in the transaction. */
  get outsider(): Flight | undefined {
    return this.#waiting.find(({ receiver }) => ownerOf(receiver) !== this.#owner)
  }

  /** The oldest flight of whoever fits. */
  oldest(fits: (receiver: FlightReceiver) => boolean): Flight | undefined {
    return [...this.#underWay, ...this.#waiting].find(({ receiver }) => fits(receiver))
  }

  add(flight: Flight): void {
    this.#waiting.push(flight)
  }

  /** What was being answered here goes to the server after all, before everything that waits. */
  putBack(flight: Flight): void {
    this.#underWay = this.#underWay.filter((other) => other !== flight)
    this.#waiting.unshift(flight)
  }

  /** The next flight that may go; inside of a transaction, the next of whoever is in it. */
  next(status: TransactionStatus | undefined): Flight | undefined {
    const isFree = status === undefined || status === 'I'
    const flight = isFree
      ? this.#waiting[0]
      : this.#waiting.find(({ receiver }) => ownerOf(receiver) === this.#owner)
    if (!flight) return undefined
    flight.receiver.reviews(flight, status ?? 'I', !this.first)
    const last = this.#underWay.at(-1)
    return !last || this.#mayFollow(flight, last) ? flight : undefined
  }

  /** Has what its transaction needs put before a flight; `false` where it has to wait after all. */
  prepare(flight: Flight, status: TransactionStatus): boolean {
    flight.receiver.departs(flight, status, !this.first)
    return !this.first || flight.isWhole
  }

  /** Only the same driver's: anybody else's could find itself in a transaction. */
  #mayFollow(flight: Flight, last: Flight): boolean {
    if (this.#underWay.length >= this.#concurrency) return false
    return flight.receiver === last.receiver && flight.isWhole && last.isWhole
  }

  /** Notes that a flight goes. */
  go(flight: Flight): void {
    this.#waiting = this.#waiting.filter((other) => other !== flight)
    this.#underWay.push(flight)
    if (!flight.localAnswer) this.#owner = ownerOf(flight.receiver)
  }

  /** Notes that the oldest flight under way has ended. */
  ended(): Flight | undefined {
    this.#ends.wake()
    return this.#underWay.shift()
  }

  /** Resolves when a flight ends, also one that has been forgotten. */
  nextEnd(): Promise<void> {
    return this.#ends.next()
  }

  /** Notes that a flight did not go after all, nor anything else that its driver has waiting. */
  refused(flight: Flight): void {
    this.#underWay = this.#underWay.filter((other) => other !== flight)
    this.forget(flight.receiver)
  }

  /** Whatever of a receiver waits is not to be sent. */
  forget(receiver: FlightReceiver): void {
    this.#waiting = this.#waiting.filter((flight) => flight.receiver !== receiver)
  }

  clear(): void {
    this.#waiting = []
    this.#underWay = []
  }
}
