import { runtime } from '#runtime'
import { transactionOver } from './scope-refusals.ts'
import { Deadline } from './wire/deadline.ts'
import { transactionBusy } from './wire/loss.ts'

/** The savepoints that the code at hand runs in, innermost first, of whatever transactions. */
const current = runtime.createContext<readonly Nesting[]>()

/** What a transaction and its savepoints have in common. */
interface Whole {
  over: boolean
  /** Whether the server refuses everything up to a rollback. */
  isFailed: () => boolean
  savepoints: number
  /** Rejects what waits for its turn. */
  waiting: Set<(error: unknown) => void>
}

/** A savepoint that is open. */
interface Open {
  nesting: Nesting
  client: unknown
  /** Rolls back to it. */
  undo: () => Promise<unknown>
}

/**
 * A transaction, or a savepoint in one. The server knows one savepoint inside of another and none beside
 * another: two that are open together would be rolled back together. So they run one after another, a
 * statement from outside of an open one waits for its end, and one ends when everything in it has.
 */
export class Nesting {
  readonly #outer: Nesting | undefined
  readonly #limitMs: number
  readonly #whole: Whole
  #revoked = false
  /** Settles with the savepoint in here that comes last, and all before it. */
  #last: Promise<void> | undefined
  #open: Open | undefined
  /** Statements in here that wait for their turn. */
  #queued = new Set<PromiseLike<unknown>>()
  /** Statements in here that have left and not settled, each with its client. */
  #running = new Map<PromiseLike<unknown>, unknown>()
  /** The same of statements that release savepoints in here, for which nobody waits who does not have to. */
  #releases = new Map<PromiseLike<unknown>, unknown>()

  /**
   * @param limitMs - How long anything may wait for its turn.
   * @param outer - What it is a savepoint in; for a transaction, whether the server refuses everything now.
   */
  constructor(limitMs: number, outer: Nesting | (() => boolean)) {
    this.#limitMs = limitMs
    const isTransaction = typeof outer === 'function'
    this.#outer = isTransaction ? undefined : outer
    this.#whole = isTransaction
      ? { over: false, isFailed: outer, savepoints: 0, waiting: new Set() }
      : outer.#whole
  }

  /** Whether it is open, and everything that it is in. */
  get alive(): boolean {
    return !this.#revoked && (this.#outer?.alive ?? true)
  }

  /** Whether its transaction is over, whatever became of it. */
  get over(): boolean {
    return this.#whole.over
  }

  /** Whether a statement has failed and was not undone: the server refuses whatever comes behind. */
  get isFailed(): boolean {
    return this.#whole.isFailed()
  }

  /** The transaction is over: nothing new may come, and nothing waits any longer. */
  finish(makeError: () => unknown): void {
    this.#whole.over = true
    this.#revoked = true
    this.fail(makeError)
  }

  /** Nothing in the transaction is to wait any longer. */
  fail(makeError: () => unknown): void {
    for (const reject of [...this.#whole.waiting]) reject(makeError())
  }

  /** A number that no other savepoint of the transaction has. */
  count(): number {
    this.#whole.savepoints += 1
    return this.#whole.savepoints
  }

  /** It is a savepoint of the server now, or will be at once; returns what says that it is none any more. */
  opens(client: unknown, undo: () => Promise<unknown>): () => void {
    const [outer, open] = [this.#outer, { nesting: this, client, undo }]
    if (!outer) return ignore
    outer.#open = open
    return () => {
      if (outer.#open === open) outer.#open = undefined
    }
  }

  /** It has ended, and `statement` of its client makes it a part of what it is in. */
  released(client: unknown, statement: PromiseLike<unknown>): void {
    if (this.#outer) note(this.#outer.#releases, statement, client)
  }

  /** Whether something of the transaction has to come before a COMMIT by `client`, see {@link settle}. */
  isBusy(client: unknown): boolean {
    return this.#open !== undefined || [...this.#running.values()].some((its) => its !== client)
  }

  /**
   * Makes a transaction that is over ready for its COMMIT by `client`: a savepoint that has not come to its
   * end takes no effect, and what other clients have sent comes first.
   */
  async settle(client: unknown): Promise<void> {
    const open = this.#open
    await Promise.allSettled(this.#othersThan(open ? open.client : client).map(settlement))
    await open?.undo().catch(ignore)
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
      note(here.#running, statement, client)
      task()
    }
    if (here.#last === undefined) return run()
    here.#queued.add(statement)
    void settlement(statement).then(() => here.#queued.delete(statement))
    here.#wait(here.#last, run, refuse)
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
    this.#revoked = true
    if (this.#last !== undefined) await this.#settled(this.#last)
    const all = [...this.#queued, ...this.#running.keys(), ...this.#releases.keys()]
    await Promise.allSettled(all.map(settlement))
  }

  async #enter<T>(
    client: unknown,
    work: (savepoint: Nesting) => Promise<T>,
    before: Promise<void> | undefined,
  ): Promise<T> {
    if (before !== undefined) await this.#settled(before)
    // Another client's statement might reach the server later than it was sent.
    const others = this.#othersThan(client)
    if (others.length > 0) await Promise.allSettled(others.map(settlement))
    if (!this.alive) throw transactionOver()
    const savepoint = new Nesting(this.#limitMs, this)
    return await current.run([savepoint, ...(current.get() ?? [])], () => work(savepoint))
  }

  #settled(promise: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => this.#wait(promise, resolve, reject))
  }

  #wait(promise: Promise<void>, go: () => void, refuse: (error: unknown) => void): void {
    const deadline = new Deadline()
    const over = (settle: () => void): void => {
      if (!this.#whole.waiting.delete(reject)) return
      deadline.stop()
      settle()
    }
    const reject = (error: unknown): void => over(() => refuse(error))
    this.#whole.waiting.add(reject)
    deadline.start(this.#limitMs, () => reject(transactionBusy(this.#limitMs)))
    void promise.then(() => over(go))
  }

  /** Statements of other clients that are under way, also in what is open in here. */
  #othersThan(client: unknown): PromiseLike<unknown>[] {
    const all = [...this.#running, ...this.#releases]
    const own = all.flatMap(([each, its]) => (its === client ? [] : each))
    return this.#open ? [...own, ...this.#open.nesting.#othersThan(client)] : own
  }

  /** The innermost savepoint in here that the code at hand runs in, also one that is over. */
  get #at(): Nesting | undefined {
    return current.get()?.find((savepoint) => savepoint.#isIn(this))
  }

  /** Whether the code at hand runs in a savepoint in here that is over: outside of it nothing undoes its work. */
  get #isLate(): boolean {
    return this.#at?.alive === false
  }

  /** Where the code at hand runs: it may hold the outer handle. */
  get #here(): Nesting {
    return this.#at ?? this
  }

  #isIn(outer: Nesting): boolean {
    if (this === outer) return true
    return this.#outer ? this.#outer.#isIn(outer) : false
  }
}

/** Notes a statement with its client until it has settled. */
function note(
  all: Map<PromiseLike<unknown>, unknown>,
  statement: PromiseLike<unknown>,
  client: unknown,
): void {
  all.set(statement, client)
  void settlement(statement).then(() => all.delete(statement))
}

/** Not a statement's own `then`, which would begin it. Never rejects. */
function settlement(statement: PromiseLike<unknown>): Promise<void> {
  return Promise.prototype.then.call(statement, ignore, ignore) as Promise<void>
}

function ignore(): void {}
