/** From the client (up) or from the server (down). */
export type Direction = 'up' | 'down'

/** What a fault decides on: one chunk that is about to be forwarded. */
export interface FaultEvent {
  /** Position in the proxy's `connections`. */
  readonly connection: number
  readonly direction: Direction
  /** The client's current turn on this connection, from 1. */
  readonly turn: number
  readonly bytes: Uint8Array
  /** Bytes that came before this chunk in each direction. */
  readonly totalUp: number
  readonly totalDown: number
}

/** What to do with a chunk. */
export type FaultAction =
  | 'pass'
  /** Forward neither this nor anything later in this direction; close nothing, lose nothing. */
  | 'stall'
  /** Drop this chunk and close: to the client it is the server that goes away. */
  | { cut: 'fin' | 'rst' }
  /** Forward the first bytes of this chunk, then end as told. */
  | { truncate: number; andThen: 'fin' | 'rst' | 'stall' }
  /** Forward in writes of so many bytes, one TCP segment each where the kernel agrees. */
  | { split: number }
  /** Hold until so many chunks of this direction, this one included, are there: one write. */
  | { merge: number }
  /** Forward these bytes instead. */
  | { replace: Uint8Array }

/** Decides what happens to a chunk; `undefined` leaves it to the next fault. */
export interface Fault {
  when(event: FaultEvent): FaultAction | undefined
}
