import type { NullpoolError } from '../errors.ts'
import type { Flight } from './flight.ts'
import type { TransactionStatus } from './messages.ts'

/** Where the answers to a flight go. */
export interface FlightReceiver {
  /** Whose transactions its flights are part of; its own, unless it says so. */
  readonly owner?: FlightReceiver
  /** Where its statements mean what they mean elsewhere; nowhere, unless it says so. */
  readonly placeName?: string | undefined
  /** Bytes of whole messages, in order. */
  receive(bytes: Uint8Array): void
  /** The flight's ReadyForQuery has been received; it was part of the bytes. */
  finished(flight: Flight, status: TransactionStatus): void
  /** The flight is next; it can still be answered here. May be called more than once. */
  reviews(flight: Flight, status: TransactionStatus, settled: boolean): void
  /** The flight is about to go; what it needs can be put before it. */
  departs(flight: Flight, status: TransactionStatus, settled: boolean): void
  /** The flight was not sent, and nothing else is wrong. */
  refused(flight: Flight, error: NullpoolError): void
}

/** Whose a transaction is. */
export function ownerOf(receiver: FlightReceiver): FlightReceiver {
  return receiver.owner ?? receiver
}

/** Whoever has left. */
export const NOBODY: FlightReceiver = {
  receive() {},
  finished() {},
  reviews() {},
  departs() {},
  refused() {},
}
