import type { NullpoolError } from '../errors.ts'
import type { Route } from './dial.ts'
import type { Flight } from './flight.ts'
import type { Credentials } from './handshake.ts'
import type { Meter } from './meter.ts'
import type { NamedStatements } from './named-statements.ts'

/** Everything a session needs to know; the same for each session of a request. */
export interface SessionOptions {
  route: Route
  credentials: Credentials
  connectTimeoutMs: number
  queryTimeoutMs: number
  /** How often a pooler that is full is asked again. */
  connectRetries: number
  meter: Meter
  /**
   * Makes what gives statements names, where a session has its backend to itself and lasts; takes what
   * sends bytes.
   */
  names?: ((send: (bytes: Uint8Array) => void) => NamedStatements) | undefined
}

/** What a session tells its owner. */
export interface SessionEvents {
  /** The login is complete, a flight may be under way. */
  ready(): void
  /** The oldest flight is answered, or the login is complete without one. */
  idle(): void
  /** A flight was not taken; the connection is as before. */
  refused(flight: Flight, error: NullpoolError): void
  /** The flight under way has made no progress for too long; the connection is still there. */
  expired(error: NullpoolError): void
  /** The connection has ended; nothing is called after it. */
  lost(error: NullpoolError): void
}
