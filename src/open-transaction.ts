import type { Identity } from './claims.ts'
import type { Sql, TransactionSql } from './drivers/driver.ts'
import { NullpoolError } from './errors.ts'
import { lazySql } from './lazy-sql.ts'
import type { ClientTypes } from './request-clients.ts'
import type { ScopeConnection } from './scope-connection.ts'
import { transactionOver, transactionRolledBack } from './scope-refusals.ts'
import { type Handle, type Savepoints, transactionHandle } from './transaction-handle.ts'
import type { Beginning } from './transaction-options.ts'
import { withOutcome } from './transaction-outcome.ts'
import type { Front } from './wire/front.ts'
import type { FrontOptions } from './wire/front-options.ts'

/** Error of `commit` that the wire gives where the server has answered with ROLLBACK. */
const ROLLED_BACK = '40000'

/** A client of a transaction, with the values of its own types, and the handle that is lent. */
interface Member {
  types: ClientTypes | undefined
  client: Sql
  handle: Handle
}

/** One transaction: clients of its own, of which the first that is used connects. */
export class OpenTransaction {
  /** Rejects when the connection is lost while nothing of the transaction waits for it. */
  readonly failed: Promise<never>
  #connection: ScopeConnection
  #identity: Identity | undefined
  #beginning: Beginning
  #members: Member[] = []
  #savepoints: Savepoints = { count: 0 }
  /** The one that was used first, by which the transaction ends. */
  #first: Member | undefined
  #fronts: Front[] = []
  #used = false
  #ending: 'commit' | 'rollback' | undefined
  #fail: (error: unknown) => void = () => undefined
  #lost = false

  constructor(connection: ScopeConnection, identity: Identity | undefined, beginning: Beginning) {
    this.#connection = connection
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
    return (known ?? this.#addMember(types)).handle.sql
  }

  #addMember(types: ClientTypes | undefined): Member {
    const create = (): Sql => {
      this.#used = true
      this.#first ??= member
      return this.#connection.clients.create({
        identity: this.#identity,
        front: () => this.#frontOptions(),
        opened: (front) => this.#opened(front),
        types,
      })
    }
    const client = lazySql(create, () => this.#connection.admit())
    const member: Member = { types, client, handle: transactionHandle(client, this.#savepoints) }
    if (this.#ending) member.handle.revoke()
    this.#members.push(member)
    return member
  }

  #frontOptions(): FrontOptions {
    const { begin, settings } = this.#beginning
    const [first] = this.#fronts
    if (first) return { settings, inside: first }
    return { begin, settings, failed: (failure) => this.#disconnected(failure) }
  }

  #opened(front: Front): void {
    this.#fronts.push(front)
    // Of statements that nobody has awaited the end may come first.
    if (this.#ending === 'rollback') front.retire(transactionOver)
    else if (this.#ending === 'commit') front.conclude()
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
    const committed = this.#commit()
    if (!this.#beginning.endsSafely) return committed
    // Whatever ends the connection now, what was read has been read.
    committed.catch(() => undefined)
  }

  async #commit(): Promise<void> {
    this.#end('commit')
    const [front, ...others] = this.#fronts
    // What nobody has awaited must not come behind the end.
    for (const other of others) other.retire(transactionOver)
    if (!this.#first) return
    front?.conclude()
    try {
      await this.#first.client.unsafe('commit')
    } catch (error) {
      // What the server has confirmed is so, whatever came behind.
      if (this.#fronts[0]?.outcome !== 'committed') throw this.explain(error)
    } finally {
      this.#fronts[0]?.retire(transactionOver)
    }
  }

  /** Nobody waits for that; whatever comes next comes behind it. */
  rollBack(): void {
    this.#end('rollback')
    for (const front of this.#fronts) front.retire(transactionOver)
  }

  /** The same error, with what became of the transaction where the connection was lost. */
  explain(error: unknown): unknown {
    if (isSqlState(error, ROLLED_BACK)) return transactionRolledBack(error)
    if (!this.#lost || !NullpoolError.is(error) || error.outcome) return error
    return withOutcome(error, this.#fronts[0]?.outcome ?? 'rolled back')
  }

  #end(how: 'commit' | 'rollback'): void {
    this.#ending ??= how
    for (const { handle } of this.#members) handle.revoke()
  }

  #disconnected(failure: () => NullpoolError): void {
    this.#lost = true
    // Whatever waits for a statement fails by itself, and first.
    setTimeout(() => this.#fail(failure()), 0)
  }
}

function isSqlState(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
