import type { NullpoolError } from '../errors.ts'
import { Deadline } from './deadline.ts'
import type { FlightReceiver } from './flight-receiver.ts'
import type { UpstreamUser } from './upstream-events.ts'

/** The fronts of one upstream, each with the process number that its driver cancels by. */
export class UpstreamUsers {
  #processIds = new Map<FlightReceiver, number>()
  #users = new Set<UpstreamUser>()
  #joined = 0
  #counted = 0
  #release = new Deadline()

  /** Whether somebody was here, of those who count, and everybody has left. */
  get deserted(): boolean {
    return this.#counted > 0 && this.#users.size === 0
  }

  /** Whether somebody is in a transaction of which no server has heard. */
  get deferring(): boolean {
    return [...this.#users].some(({ deferring }) => deferring)
  }

  /** Adds a user; returns its process number. */
  add(user: UpstreamUser): number {
    this.#joined += 1
    this.#counted += 1
    this.#users.add(user)
    this.#processIds.set(user, this.#joined)
    return this.#joined
  }

  /** @param counts - Whether it may have been the last one, after whom nobody comes. */
  remove(user: UpstreamUser, counts: boolean): void {
    if (this.#users.delete(user) && !counts) this.#counted -= 1
    this.#processIds.delete(user)
  }

  /** The process number of whoever receives a flight, while it is here. */
  processId(receiver: FlightReceiver | undefined): number | undefined {
    return receiver && this.#processIds.get(receiver)
  }

  /**
   * Tells everybody of a failure. Whoever is in a transaction gets the error at its next statement;
   * the others wait behind it, for `releaseAfterMs` at the most.
   */
  fail(failure: () => NullpoolError, releaseAfterMs: number): void {
    this.#release.stop()
    const inTransaction = [...this.#users].filter((user) => user.fail(failure))
    if (inTransaction.length > 0) this.#release.start(releaseAfterMs, () => this.release())
  }

  /** Nothing more is expected of transactions. */
  release(): void {
    const expected = [...this.#users].filter((user) => !user.release())
    if (expected.length === 0) this.#release.stop()
  }
}
