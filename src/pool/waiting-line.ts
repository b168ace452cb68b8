import type { NullpoolError } from '../errors.ts'

interface Waiter<T> {
  take(turn: T): void
  fail(error: NullpoolError): void
}

/** Who waits for a connection: first come, first served. */
export class WaitingLine<T> {
  // A Set keeps the order of insertion, and lets go of anybody in between.
  #waiting = new Set<Waiter<T>>()

  get length(): number {
    return this.#waiting.size
  }

  /**
   * Waits for a turn.
   *
   * @param makeError - Makes the error for whoever has waited for `timeoutMs`.
   * @param signal - Aborts when whoever waits has gone; the wait rejects with its reason.
   */
  join(timeoutMs: number, signal: AbortSignal, makeError: () => NullpoolError): Promise<T> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiter)
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
      }
      const waiter: Waiter<T> = {
        take(turn) {
          leave()
          resolve(turn)
        },
        fail(error) {
          leave()
          reject(error)
        },
      }
      const abort = (): void => {
        leave()
        reject(signal.reason)
      }
      const timer = setTimeout(() => waiter.fail(makeError()), timeoutMs)
      this.#waiting.add(waiter)
      signal.addEventListener('abort', abort)
      if (signal.aborted) abort()
    })
  }

  /** Gives a turn to whoever came first; `false` where nobody waits. */
  serve(turn: T): boolean {
    const [first] = this.#waiting
    first?.take(turn)
    return first !== undefined
  }

  /** Nobody's turn will come. */
  fail(makeError: () => NullpoolError): void {
    for (const waiter of [...this.#waiting]) waiter.fail(makeError())
  }
}
