import type { Identity } from './claims.ts'
import type { Sql, TransactionSql } from './drivers/driver.ts'
import { NullpoolError } from './errors.ts'
import { lazySql } from './lazy-sql.ts'
import type { RequestConnection } from './request-connection.ts'
import { transactionOver, transactionRolledBack } from './scope-refusals.ts'
import { type Handle, transactionHandle } from './transaction-handle.ts'
import type { Beginning } from './transaction-options.ts'
import { withOutcome } from './transaction-outcome.ts'
import type { Front } from './wire/front.ts'

/** Error of `commit` that the wire gives where the server has answered with ROLLBACK. */
const ROLLED_BACK = '40000'

/** One transaction: a client of its own, which connects with the first statement. */
export class OpenTransaction {
  readonly sql: TransactionSql
  /** Rejects when the connection is lost while nothing of the transaction waits for it. */
  readonly failed: Promise<never>
  #connection: RequestConnection
  #identity: Identity | undefined
  #client: Sql
  #handle: Handle
  #front: Front | undefined
  #endsSafely: boolean
  #used = false
  #open = true
  #fail: (error: unknown) => void = () => undefined
  #lost = false

  constructor(
    connection: RequestConnection,
    identity: Identity | undefined,
    { begin, settings, endsSafely }: Beginning,
  ) {
    this.#endsSafely = endsSafely
    this.#connection = connection
    this.#identity = identity
    this.failed = new Promise((_, reject) => {
      this.#fail = reject
    })
    this.failed.catch(() => undefined)
    const options = {
      begin,
      settings,
      failed: (failure: () => NullpoolError) => this.#disconnected(failure),
    }
    const create = (): Sql => {
      this.#used = true
      return connection.clients.create(identity, options, (front) => {
        this.#front = front
      })
    }
    this.#client = lazySql(create, () => connection.admit())
    this.#handle = transactionHandle(this.#client)
    this.sql = this.#handle.sql
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
  isOpenFor(connection: RequestConnection, identity: Identity | undefined): boolean {
    const same = this.#connection === connection && this.#identity?.key === identity?.key
    return this.#open && same
  }

  /** Resolves once it is committed, or at once where nothing can go wrong; the connection stays. */
  async commit(): Promise<void> {
    const committed = this.#commit()
    if (!this.#endsSafely) return committed
    // Whatever ends the connection now, what was read has been read.
    committed.catch(() => undefined)
  }

  async #commit(): Promise<void> {
    this.#close()
    if (!this.#used) return
    this.#front?.conclude()
    const committing = this.#client.unsafe('commit')
    try {
      await committing
    } catch (error) {
      // What the server has confirmed is so, whatever came behind.
      if (this.#front?.outcome !== 'committed') throw this.explain(error)
    } finally {
      this.#front?.retire(transactionOver)
    }
  }

  /** Nobody waits for that; whatever comes next comes behind it. */
  rollBack(): void {
    this.#close()
    this.#front?.retire(transactionOver)
  }

  /** The same error, with what became of the transaction where the connection was lost. */
  explain(error: unknown): unknown {
    if (isSqlState(error, ROLLED_BACK)) return transactionRolledBack(error)
    if (!this.#lost || !NullpoolError.is(error) || error.outcome) return error
    return withOutcome(error, this.#front?.outcome ?? 'rolled back')
  }

  #close(): void {
    this.#open = false
    this.#handle.revoke()
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
