import { runtime } from '#runtime'
import { transactionOver } from './scope-refusals.ts'

/** Where in a transaction the code at hand runs. */
const current = runtime.createContext<Nesting>()

/**
 * A transaction, or a savepoint in one. The server knows one savepoint inside of another and none beside
 * another: two that are open together would be rolled back together. So they run one after another, and a
 * statement from outside of an open one waits for its end.
 */
export class Nesting {
  readonly #outer: Nesting | undefined
  #revoked = false
  #savepoints = 0
  /** Settles with the savepoint in here that comes last. */
  #last: Promise<void> | undefined

  constructor(outer?: Nesting) {
    this.#outer = outer
  }

  /** Whether it is open, and everything that it is in. */
  get alive(): boolean {
    return !this.#revoked && (this.#outer?.alive ?? true)
  }

  /** From now on it is over, and every savepoint in it. */
  revoke(): void {
    this.#revoked = true
  }

  /** A number that no other savepoint of the transaction has. */
  count(): number {
    if (this.#outer) return this.#outer.count()
    this.#savepoints += 1
    return this.#savepoints
  }

  /** Runs `task` once no savepoint is open that the code at hand is outside of; at once, if there is none. */
  inTurn(task: () => void): void {
    const open = this.#here.#last
    if (open !== undefined) void open.then(task)
    else task()
  }

  /** Runs `work` as a savepoint in here, behind those that are open. */
  enter<T>(work: (savepoint: Nesting) => Promise<T>): Promise<T> {
    const here = this.#here
    const running = here.#enter(work, here.#last)
    const ended = running.then(
      () => undefined,
      () => undefined,
    )
    here.#last = ended
    void ended.then(() => {
      if (here.#last === ended) here.#last = undefined
    })
    return running
  }

  async #enter<T>(work: (savepoint: Nesting) => Promise<T>, before?: Promise<void>): Promise<T> {
    if (before !== undefined) await before
    if (!this.alive) throw transactionOver()
    const savepoint = new Nesting(this)
    try {
      return await current.run(savepoint, () => work(savepoint))
    } finally {
      savepoint.revoke()
    }
  }

  /** The innermost savepoint in here that the code at hand runs in: it may hold the outer handle. */
  get #here(): Nesting {
    for (let at = current.get(); at; at = at.#outer) if (at.alive && at.#isIn(this)) return at
    return this
  }

  #isIn(outer: Nesting): boolean {
    if (this === outer) return true
    return this.#outer ? this.#outer.#isIn(outer) : false
  }
}
