import type { NullpoolError } from '../errors.ts'
import type { Flight } from './flight.ts'
import type { FlightReceiver } from './flight-receiver.ts'
import type { SessionOptions } from './session-events.ts'
import type { SessionSource } from './session-source.ts'

/** Everything an upstream needs to know. */
export interface UpstreamOptions extends SessionOptions {
  closeTimeoutMs: number
  /** @default sessions of its own */
  sessions?: SessionSource | undefined
}

/** A front as its upstream sees it. */
export interface UpstreamUser extends FlightReceiver {
  /**
   * The connection has ended and no other will follow; `failure` makes a new error for each call.
   *
   * @returns whether its driver is in a transaction and has to say the next word.
   */
  fail(failure: () => NullpoolError): boolean
  /** Whether its driver is in a transaction of which no server has heard. */
  readonly deferring: boolean
  /**
   * Nothing more is expected of a transaction that was open at the failure.
   *
   * @returns whether it is over; not while its driver is about to hear of the failure.
   */
  release(): boolean
}

/** What an upstream tells its owner. */
export interface UpstreamEvents {
  /** A connection is being opened. */
  opening(): void
  /** A first flight may leave, `durationMs` after the connection was begun. */
  opened(durationMs: number): void
  /** A connection is closed, on purpose or not. */
  closed(error: NullpoolError | undefined): void
  /** Something goes on beside the connection, which the platform has to wait for. */
  background(work: Promise<void>): void
  /** Nothing is under way and nothing waits. */
  idle(): void
  /** A flight has been answered. */
  answered(flight: Flight): void
}
