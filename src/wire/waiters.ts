/** Whoever waits for the next time that something happens. */
export class Waiters {
  #all: (() => void)[] = []

  /** Resolves the next time. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#all.push(resolve))
  }

  /** It has happened. */
  wake(): void {
    for (const wake of this.#all.splice(0)) wake()
  }
}
