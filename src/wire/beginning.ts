import { readyForQuery } from './local-answers.ts'
import { Backend } from './messages.ts'
import type { Reply } from './replies.ts'

/** What travels with a flight: the statements that begin its transaction, and savepoints in it. */
export class Beginning {
  /** The statement that begins the transaction, unless that is open. */
  readonly begin: string | undefined
  readonly savepoints: readonly string[]
  /** Whether the server has said that the transaction has begun. */
  #hasBegun = false
  /** Whether its driver is out of the transaction behind the flight, whatever became of it. */
  #isLeft: boolean

  constructor(begin: string | undefined, savepoints: readonly string[], isLeft: boolean) {
    this.begin = begin
    this.savepoints = savepoints
    this.#isLeft = isLeft
  }

  /** The reply that says that the transaction has begun, which nobody awaits. */
  get begun(): Reply {
    const hides = (): boolean => {
      this.#hasBegun = true
      return true
    }
    return { types: [Backend.commandComplete], hides }
  }

  /**
   * Whether the driver takes itself to be in a transaction that there is not: a cancel request may come while
   * the server is at its BEGIN. What comes next would run, and be committed, by itself.
   */
  get isMissing(): boolean {
    return this.begin !== undefined && !this.#hasBegun && !this.#isLeft
  }

  /** What its driver is told in the place of a reply. */
  told(reply: Uint8Array): Uint8Array {
    return reply[0] === Backend.readyForQuery && this.isMissing ? readyForQuery('T') : reply
  }
}
