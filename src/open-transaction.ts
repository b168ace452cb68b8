import type { Identity } from './claims.ts'
import type { Sql, TransactionSql } from './drivers/driver.ts'
import { NullpoolError } from './errors.ts'
import { lazySql, makerOf } from './lazy-sql.ts'
import { Nesting } from './nesting.ts'
import type { ClientTypes } from './request-clients.ts'
import type { ScopeConnection } from './scope-connection.ts'
import { transactionOver, transactionRolledBack } from './scope-refusals.ts'
import { transactionHandle } from './transaction-handle.ts'
import type { Beginning } from './transaction-options.ts'
import { withOutcome } from './transaction-outcome.ts'
import type { Front } from './wire/front.ts'
import type { FrontOptions } from './wire/front-options.ts'

/** Error of `commit` that the wire gives where the server has answered with ROLLBACK. */
const ROLLED_BACK = '40000'

/** What waits for its turn gives up before the transaction does, in which nothing happens meanwhile. */
const PATIENCE = 0.9

/** A client of a transaction, with the values of its own types, and the handle that is lent. */
interface Member {
  types: ClientTypes | undefined
  client: Sql
  handle: TransactionSql
  /** Once it has connected. */
  front?: Front
}

/** One transaction: clients of its own, of which the first that is used connects. */
export class OpenTransaction {
  /** Rejects when the connection is lost while nothing of the transaction waits for it. */
  readonly failed: Promise<never>
  #connection: ScopeConnection
  #identity: Identity | undefined
  #beginning: Beginning
  #members: Member[] = []
  #nesting: Nesting
  /** The one that was used first, by which the transaction ends. */
  #first: Member | undefined
  #fronts: Front[] = []
  #used = false
  #ending: 'commit' | 'rollback' | undefined
  #fail: (error: unknown) => void = () => undefined
  #lost = false
  /** The error of the lost connection that was told first, of which the whole transaction dies. */
  #loss: NullpoolError | undefined

  constructor(connection: ScopeConnection, identity: Identity | undefined, beginning: Beginning) {
    this.#connection = connection
    const isFailed = (): boolean => this.#fronts[0]?.transaction.isFailed ?? false
    this.#nesting = new Nesting(Math.ceil(connection.queryTimeoutMs * PATIENCE), isFailed)
    this.#identity = identity
    this.#beginning = beginning
    this.failed = new Promise((_, reject) => {
      this.#fail = reject
    })
    this.failed.catch(() => undefined)
  }

  get sql(): TransactionSql {
    return this.handle()
  }

  /** What is lent; for somebody with types of their own, another handle of the same transaction. */
  handle(types?: ClientTypes): TransactionSql {
    const known = this.#members.find((member) => member.types === types)
    return (known ?? this.#addMember(types)).handle
  }

  /** Whose turn it is, for those who are let in beside. */
  get nesting(): Nesting {
    return this.#nesting
  }

  /** Whether anybody is in it. */
  get entered(): boolean {
    return this.#fronts.length > 0
  }

  /** Lets somebody in beside the clients of its own; `open` makes the front. */
  enter(open: (options: FrontOptions) => Front): Front {
    this.#used = true
    const front = open(this.#frontOptions())
    this.#opened(front)
    return front
  }

  #addMember(types: ClientTypes | undefined): Member {
    const create = (): Sql =>
      this.#connection.clients.create({
        identity: this.#identity,
        front: () => this.#frontOptions(),
        opened: (front) => {
          member.front ??= front
          this.#opened(front)
        },
        types,
      })
    // Whoever only builds a value with the client, as with `sql.json`, is not asked.
    const admit = (): void => {
      this.#connection.admit()
      this.#used = true
      this.#first ??= member
    }
    const client = lazySql(create, admit)
    const member: Member = { types, client, handle: transactionHandle(client, this.#nesting) }
    this.#members.push(member)
    return member
  }

  #frontOptions(): FrontOptions {
    const { begin, settings } = this.#beginning
    const [first] = this.#fronts
    const explain = (error: NullpoolError): NullpoolError => this.#withOutcome(error)
    if (first) return { settings, inside: first, explain }
    return { begin, settings, explain, failed: (failure) => this.#disconnected(failure) }
  }

  #opened(front: Front): void {
    this.#fronts.push(front)
    // Of statements that nobody has awaited the end may come first.
    if (this.#ending === 'rollback') front.retire(transactionOver)
    else if (this.#ending === 'commit') front.transaction.conclude()
  }

  /** Whether one of its clients made a statement. */
  made(statement: unknown): boolean {
    return this.#members.some(({ client }) => makerOf(statement) === client)
  }

  /** Whether it has had a statement. */
  get used(): boolean {
    return this.#used
  }

  /** Whether the connection was lost during the transaction. */
  get lost(): boolean {
    return this.#lost
  }

  /** Whether it is open, on this connection and for the same somebody. */
  isOpenFor(connection: ScopeConnection, identity: Identity | undefined): boolean {
    const same =
      this.#connection.origin === connection.origin && this.#identity?.key === identity?.key
    return this.#ending === undefined && same
  }

  /** Resolves once it is committed, or at once where nothing can go wrong; the connection stays. */
  async commit(): Promise<void> {
    const { endsSafely } = this.#beginning
    // What is under way may not have been looked at.
    const isSettled = this.entered && !this.#nesting.isBusy(undefined)
    const isSafe = endsSafely && isSettled && !this.#fronts.some((front) => front.endMatters)
    const committed = this.#commit()
    if (!isSafe) return committed
    // Whatever ends the connection now, what was read has been read.
    committed.catch(() => undefined)
  }

  async #commit(): Promise<void> {
    this.#end('commit')
    if (this.#nesting.isBusy(this.#first?.client)) await this.#nesting.settle(this.#first?.client)
    const [front, ...others] = this.#fronts
    // What nobody has awaited must not come behind the end.
    for (const other of others) if (other !== this.#first?.front) other.retire(transactionOver)
    if (!this.#used) return
    front?.transaction.conclude()
    const { client } = this.#first ?? this.#addMember(undefined)
    try {
      await client.unsafe('commit')
    } catch (error) {
      // What the server has confirmed is so, whatever came behind.
      if (this.#fronts[0]?.transaction.outcome === 'committed') return
      throw isSqlState(error, ROLLED_BACK) ? transactionRolledBack(error) : this.explain(error)
    } finally {
      this.#fronts[0]?.retire(transactionOver)
    }
  }

  /** Rolls back to a savepoint of somebody who was let in beside, and may have gone. */
  async rollBackTo(savepoint: string): Promise<unknown> {
    const { client } = this.#first ?? this.#addMember(undefined)
    return client.unsafe(`rollback to ${savepoint}`)
  }

  /** Nobody waits for that; whatever comes next comes behind it. */
  rollBack(): void {
    this.#end('rollback')
    for (const front of this.#fronts) front.retire(transactionOver)
  }

  /** The same error, with what became of the transaction where the connection was lost. */
  explain(error: unknown): unknown {
    return NullpoolError.is(error) ? this.#withOutcome(error) : error
  }

  #withOutcome(error: NullpoolError): NullpoolError {
    if (!this.#lost || error.outcome) return error
    const told = withOutcome(error, this.#fronts[0]?.transaction.outcome ?? 'rolled back')
    this.#loss ??= told
    return told
  }

  #end(how: 'commit' | 'rollback'): void {
    this.#ending ??= how
    this.#nesting.finish(transactionOver)
  }

  #disconnected(failure: () => NullpoolError): void {
    this.#lost = true
    // Whatever waits for a statement fails by itself, and first.
    setTimeout(() => {
      this.#nesting.fail(() => this.#loss ?? failure())
      this.#fail(this.#loss ?? failure())
    }, 0)
  }
}

function isSqlState(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
