/** What a driver has been asked for and not answered, as far as its callers see it. */
export class Outstanding {
  #rejects = new Set<(error: unknown) => void>()

  /** Notes a promise; `reject` is what rejects it, unless it has settled. */
  add(promise: Promise<unknown>, reject: (error: unknown) => void): void {
    this.#rejects.add(reject)
    const forget = (): void => {
      this.#rejects.delete(reject)
    }
    // Not its own `then`, which would begin a statement that nobody has awaited.
    void Promise.prototype.then.call(promise, forget, forget)
  }

  /** The same promise, for a caller who is told when nothing is to be expected any more. */
  watch<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.add(promise, reject)
      promise.then(resolve, reject)
    })
  }

  /** Nothing is to be expected any more: everybody gets an error of their own. */
  reject(makeError: () => unknown): void {
    for (const reject of [...this.#rejects]) reject(makeError())
  }
}
