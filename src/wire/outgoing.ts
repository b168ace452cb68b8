import { concat, syncMessage } from './messages.ts'

/** The messages of a flight that have not left, and those that wait for a ReadyForQuery in between. */
export class Outgoing {
  #unsent: Uint8Array[] = []
  #held: Uint8Array[] | undefined

  /** Whether a part waits for the ReadyForQuery of the part before it. */
  get isHeld(): boolean {
    return this.#held !== undefined
  }

  /** What would leave now. */
  get unsent(): readonly Uint8Array[] {
    return this.#unsent
  }

  add(...messages: readonly Uint8Array[]): void {
    const part = this.#held ?? this.#unsent
    part.push(...messages)
  }

  addFirst(messages: readonly Uint8Array[]): void {
    this.#unsent.unshift(...messages)
  }

  replace(messages: readonly Uint8Array[]): void {
    this.#unsent = [...messages]
  }

  /** Ends what is there with a Sync; what comes from now on waits for its ReadyForQuery. */
  hold(): void {
    this.#unsent.push(syncMessage())
    this.#held = []
  }

  /** Puts a part before what is there, which waits. */
  holdBehind(messages: readonly Uint8Array[]): void {
    this.#held = this.#unsent
    this.#unsent = [...messages, syncMessage()]
  }

  /** What waits is not to leave any more. */
  drop(): void {
    if (this.#held) this.#held = []
  }

  /** The ReadyForQuery is there. True when something has waited for it. */
  release(): boolean {
    this.#unsent = this.#held ?? []
    this.#held = undefined
    return this.#unsent.length > 0
  }

  /** The bytes that may leave now, if there are any. */
  take(): Uint8Array | undefined {
    if (this.#unsent.length === 0) return undefined
    return concat(this.#unsent.splice(0))
  }
}
