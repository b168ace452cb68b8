interface Waiting<State> {
  predicate: (state: State) => boolean
  resolve: () => void
  reject: (reason: Error) => void
}

/**
 * Waits for a state to become true: looked at when something happens, never by the clock.
 *
 * The owner of the state calls {@link Conditions.changed} after every change.
 */
export class Conditions<State> {
  readonly #state: State
  readonly #waiting = new Set<Waiting<State>>()

  constructor(state: State) {
    this.#state = state
  }

  /** Resolves as soon as the predicate holds, at once if it does already. */
  until(predicate: (state: State) => boolean): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => {
      this.#waiting.add({ predicate, resolve, reject })
    })
    // A test that failed before it came to await this is not to be told twice.
    promise.catch(() => {})
    this.changed()
    return promise
  }

  /** Looks at every waiting predicate again. */
  changed(): void {
    for (const waiting of this.#waiting) {
      try {
        if (!waiting.predicate(this.#state)) continue
        waiting.resolve()
      } catch (error) {
        waiting.reject(error instanceof Error ? error : new Error(String(error)))
      }
      this.#waiting.delete(waiting)
    }
  }

  /** Rejects whoever still waits: nothing will change any more. */
  abandon(reason: string): void {
    for (const waiting of this.#waiting) waiting.reject(new Error(reason))
    this.#waiting.clear()
  }
}
