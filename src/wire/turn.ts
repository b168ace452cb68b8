import type { NullpoolError } from '../errors.ts'
import { Deadline } from './deadline.ts'
import type { Flight } from './flight.ts'
import { queryTimeout, streamIdle } from './loss.ts'

/** Bounds the wait for whoever is to go on with a flight: the server, or the driver. */
export class Turn {
  #deadline = new Deadline()
  #serverTimeoutMs: number
  #driverTimeoutMs: number
  #expired: (error: NullpoolError) => void

  /** Takes what is called when somebody has taken too long. */
  constructor(queryTimeoutMs: number, expired: (error: NullpoolError) => void) {
    this.#serverTimeoutMs = queryTimeoutMs
    this.#driverTimeoutMs = queryTimeoutMs
    this.#expired = expired
  }

  /** From now on a driver has this long. */
  hurry(driverTimeoutMs: number): void {
    this.#driverTimeoutMs = driverTimeoutMs
  }

  /**
   * Begins the wait anew; without a flight there is none.
   *
   * @param writing - Whether the server has yet to take bytes.
   * @param paused - Whether the driver wants no bytes.
   */
  watch(flight: Flight | undefined, writing: boolean, paused: boolean): void {
    if (!flight) return this.stop()
    const serverOwes = (flight.awaitsServer || writing) && !paused
    const [afterMs, error] = serverOwes
      ? [this.#serverTimeoutMs, queryTimeout]
      : [this.#driverTimeoutMs, streamIdle]
    this.#deadline.start(afterMs, () => this.#expired(error(afterMs)))
  }

  /** One wait of another kind. */
  await(afterMs: number, expire: () => void): void {
    this.#deadline.start(afterMs, expire)
  }

  stop(): void {
    this.#deadline.stop()
  }
}
