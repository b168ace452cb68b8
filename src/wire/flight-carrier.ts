import type { Flight } from './flight.ts'
import type { UpstreamUser } from './upstream-events.ts'
import type { Whereabouts } from './whereabouts.ts'

/** What takes the flights of fronts to the server: an upstream, or a batch on one. */
export interface FlightCarrier {
  /** Where statements run. */
  readonly where: Whereabouts
  /** @returns the process number by which the driver may ask to cancel. */
  join(user: UpstreamUser): number
  /** @param counts - Whether it may have been the last one, after whom nobody comes. */
  leave(user: UpstreamUser, counts?: boolean): void
  /** Takes a flight that has something to send. */
  submit(flight: Flight): void
  /** Looks at what has been added to a flight since. */
  proceed(flight: Flight): void
  /** Stops reading answers, or reads on. */
  read(on: boolean): void
  /** Stops what a driver is at. Never rejects. */
  cancel(processId: number): Promise<void>
}
