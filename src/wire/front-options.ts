import type { NullpoolError } from '../errors.ts'
import type { Front } from './front.ts'
import type { Setting } from './prologue.ts'

/** The driver's side of a front. Nothing is called from inside of `write`. */
export interface FrontListener {
  /** Bytes as a server would send them. */
  data(bytes: Uint8Array): void
  /** Every query that the driver awaits has failed; the driver may send more. */
  error(error: NullpoolError): void
  /**
   * A transaction of the driver's was ended from outside, and what waits behind it will not be answered. A
   * listener without this gets a ReadyForQuery, which a driver that is just writing takes for another's.
   */
  released?(): void
  /** The driver has said goodbye, or its request to cancel was passed on. */
  closed(): void
}

/** What a front does on its own, beside passing on what its driver says. */
export interface FrontOptions {
  /** Made at the beginning of each transaction. */
  settings?: readonly Setting[]
  /**
   * The statement with which a transaction begins that is all that this front is for. It travels with the
   * first statement; nothing but {@link Front.conclude} lets the driver end it.
   */
  begin?: string
  /** Another front, whose only transaction is this one's too. */
  inside?: Front
  /** Looks at every statement; what it returns is told in the place of an answer. */
  guard?: ((text: string) => NullpoolError | undefined) | undefined
  /** Adds to an error of the connection what it means here, before the driver hears of it. */
  explain?: (error: NullpoolError) => NullpoolError
  /** Whether its driver's goodbye leaves the connection open, also where nobody else is left. */
  stays?: boolean
  /** Told when the connection has failed, and how. */
  failed?: (failure: () => NullpoolError) => void
}
