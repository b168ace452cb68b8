import { ASIDES, Backend, notPostgres } from './messages.ts'

/** What becomes of one reply: the driver gets it unless `hides` says otherwise. */
export interface Expected {
  /** One of these types; others are passed on and leave the expectation as it is. */
  types: readonly number[]
  /** @returns whether the driver must not see it. */
  hides: (message: Uint8Array) => boolean
}

/** The type of a reply that nobody is to see, or what becomes of it. */
export type Reply = number | Expected

const always = (): boolean => true

/**
 * Keeps from a driver the replies to what it did not send, or was answered before: they come first, in
 * a known order, unless there is an error, which is the driver's.
 */
export class Replies {
  #expected: Expected[] = []

  /** Hides the next replies, one each in this order. */
  hide(...replies: readonly Reply[]): void {
    this.#expected.push(...replies.map(expected))
  }

  /** Looks at the reply behind those before. */
  expect(...expected: readonly Expected[]): void {
    this.#expected.push(...expected)
  }

  /** Puts other expectations before those so far. */
  hideFirst(...replies: readonly Reply[]): void {
    this.#expected.unshift(...replies.map(expected))
  }

  /**
   * The last reply is there. What was hidden in the place of one that never came would be missed by the
   * driver for ever.
   *
   * @throws NullpoolError `ERR_PROTOCOL`.
   */
  end(): void {
    if (!this.settled) throw notPostgres()
  }

  /** Whether the driver is to see every reply. */
  get settled(): boolean {
    return this.#expected.length === 0
  }

  /** Whether the driver is to see a reply. */
  passes(message: Uint8Array): boolean {
    const [next] = this.#expected
    const type = message[0] ?? 0
    if (!next || ASIDES.has(type)) return true
    if (type === Backend.errorResponse) this.#expected = []
    if (!next.types.includes(type)) return true
    this.#expected.shift()
    return !next.hides(message)
  }
}

function expected(reply: Reply): Expected {
  return typeof reply === 'number' ? { types: [reply], hides: always } : reply
}
