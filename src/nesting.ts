import { runtime } from '#runtime'
import { transactionOver } from './scope-refusals.ts'
import { Deadline } from './wire/deadline.ts'
import { transactionBusy } from './wire/loss.ts'

/** Where in a transaction the code at hand runs. */
const current = runtime.createContext<Nesting>()

/**
 * A transaction, or a savepoint in one. The server knows one savepoint inside of another and none beside
 * another: two that are open together would be rolled back together. So they run one after another, a
 * statement from outside of an open one waits for its end, and one ends when everything in it has.
 */
export class Nesting {
  readonly #outer: Nesting | undefined
  readonly #limitMs: number
  #revoked = false
  #savepoints = 0
  /** Settles with the savepoint in here that comes last, and all before it. */
  #last: Promise<void> | undefined
  /** Statements in here that have left and not settled, each with its client. */
  #running = new Map<PromiseLike<unknown>, unknown>()
  /** Rejects what waits for its turn, anywhere in the transaction. */
  #waiting: Set<(error: unknown) => void>

  /** Takes how long anything may wait for its turn. */
  constructor(limitMs: number, outer?: Nesting) {
    this.#limitMs = limitMs
    this.#outer = outer
    this.#waiting = outer ? outer.#waiting : new Set()
  }

  /** Whether it is open, and everything that it is in. */
  get alive(): boolean {
    return !this.#revoked && (this.#outer?.alive ?? true)
  }

  /** From now on it is over, and every savepoint in it. */
  revoke(): void {
    this.#revoked = true
  }

  /** Nothing in the transaction is to wait any longer. */
  fail(makeError: () => unknown): void {
    for (const reject of [...this.#waiting]) reject(makeError())
  }

  /** A number that no other savepoint of the transaction has. */
  count(): number {
    if (this.#outer) return this.#outer.count()
    this.#savepoints += 1
    return this.#savepoints
  }

  /**
   * Runs `task`, which hands a statement over, once no savepoint is open that the code at hand is outside of;
   * at once, if there is none.
   */
  inTurn(
    statement: PromiseLike<unknown>,
    client: unknown,
    task: () => void,
    refuse: (error: unknown) => void,
  ): void {
    if (this.#isLate) return refuse(transactionOver())
    const here = this.#here
    const run = (): void => {
      here.#note(statement, client)
      task()
    }
    if (here.#last !== undefined) here.#wait(here.#last, run, refuse)
    else run()
  }

  /** Runs `work` of a client as a savepoint in here, behind those that are open. */
  enter<T>(client: unknown, work: (savepoint: Nesting) => Promise<T>): Promise<T> {
    if (this.#isLate) return Promise.reject(transactionOver())
    const here = this.#here
    const before = here.#last
    const running = here.#enter(client, work, before)
    const ended = running.then(ignore, ignore).then(() => before)
    here.#last = ended
    void ended.then(() => {
      if (here.#last === ended) here.#last = undefined
    })
    return running
  }

  /** Ends it: nothing new may come, and what is under way comes to its end. */
  async end(): Promise<void> {
    this.revoke()
    if (this.#last !== undefined) await this.#settled(this.#last)
    await Promise.allSettled([...this.#running.keys()].map(settlement))
  }

  async #enter<T>(
    client: unknown,
    work: (savepoint: Nesting) => Promise<T>,
    before: Promise<void> | undefined,
  ): Promise<T> {
    if (before !== undefined) await this.#settled(before)
    // Another client's statement might reach the server later than it was sent.
    const others = [...this.#running].filter(([, other]) => other !== client)
    if (others.length > 0) await Promise.allSettled(others.map(([each]) => settlement(each)))
    if (!this.alive) throw transactionOver()
    const savepoint = new Nesting(this.#limitMs, this)
    return await current.run(savepoint, () => work(savepoint))
  }

  #settled(promise: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => this.#wait(promise, resolve, reject))
  }

  #wait(promise: Promise<void>, go: () => void, refuse: (error: unknown) => void): void {
    const deadline = new Deadline()
    const over = (settle: () => void): void => {
      if (!this.#waiting.delete(reject)) return
      deadline.stop()
      settle()
    }
    const reject = (error: unknown): void => over(() => refuse(error))
    this.#waiting.add(reject)
    deadline.start(this.#limitMs, () => reject(transactionBusy(this.#limitMs)))
    void promise.then(() => over(go))
  }

  #note(statement: PromiseLike<unknown>, client: unknown): void {
    this.#running.set(statement, client)
    void settlement(statement).then(() => this.#running.delete(statement))
  }

  /** Whether the code at hand runs in a savepoint in here that is over: outside of it nothing undoes its work. */
  get #isLate(): boolean {
    const at = current.get()
    return at !== undefined && !at.alive ? at.#isIn(this) : false
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

/** Not a statement's own `then`, which would begin it. Never rejects. */
function settlement(statement: PromiseLike<unknown>): Promise<void> {
  return Promise.prototype.then.call(statement, ignore, ignore) as Promise<void>
}

function ignore(): void {}
