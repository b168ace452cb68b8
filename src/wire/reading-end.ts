import { Backend, decodeText, statementMessages } from './messages.ts'
import type { Preparation } from './prologue.ts'

const QUESTION = statementMessages('show transaction_isolation')

/** Type, length, number of columns and length of the first. */
const BEFORE_VALUE = 11

/** Levels of which COMMIT has nothing to check. */
const UNCHECKED = /^(?:read (?:un)?committed|repeatable read)$/

/** Words without which a statement changes no mode and tells nobody anything at the end. */
const MAY_MATTER = /u&["']|\b(?:reset|discard|do|call|set_config)\b|pg_settings|notify/i

const SETS = /\bset\b/i
const NAMES_MODE = /transaction/i

/**
 * Whether the end of a transaction that was begun to read can fail after all, or has an effect. It may be
 * serializable by a default that no server reports; then the server is asked, on the way.
 */
export class ReadingEnd {
  /** Whether the statement that begins it leaves the isolation to a default. */
  readonly #asks: boolean
  #isolation: string | undefined
  #mayMatter = false

  /** @param begin - The statement with which the transaction begins. */
  constructor(begin: string) {
    this.#asks = begin.includes('read only') && !begin.includes('isolation level')
  }

  /** What is asked behind the beginning. It needs no snapshot, so that modes may still be set. */
  get question(): Preparation | undefined {
    if (!this.#asks) return undefined
    const hides = (row: Uint8Array): boolean => {
      this.#isolation = decodeText(row.subarray(BEFORE_VALUE))
      return true
    }
    const answer = { types: [Backend.dataRow], hides }
    const { parseComplete, bindComplete, commandComplete } = Backend
    return { messages: QUESTION, replies: [parseComplete, bindComplete, answer, commandComplete] }
  }

  /** Takes the text of a statement, which need not be understood: where it is unclear, the end is awaited. */
  look(text: string): void {
    this.#mayMatter ||= MAY_MATTER.test(text) || (SETS.test(text) && NAMES_MODE.test(text))
  }

  /** Whether its end is to be awaited. */
  get matters(): boolean {
    return this.#mayMatter || (this.#asks && !UNCHECKED.test(this.#isolation ?? ''))
  }
}
