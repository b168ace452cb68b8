import { abortable, type Cancellable } from './abortable.ts'
import { type BatchResults, runBatch, runInTransaction } from './batch.ts'
import { refuseWhileBuilding } from './building-statements.ts'
import type { Claims, Identity } from './claims.ts'
import type { Sql, TransactionSql } from './drivers/driver.ts'
import { isUnbegun } from './drivers/hand-over.ts'
import { NullpoolError } from './errors.ts'
import { lazySql, makerOf } from './lazy-sql.ts'
import type { OpenTransaction } from './open-transaction.ts'
import type { RequestConnection } from './request-connection.ts'
import type { Scope, ScopeMetrics } from './scope.ts'
import { insideTransaction } from './scope-refusals.ts'
import { SpareClients } from './spare-clients.ts'
import { enclosingTransaction, runTransaction, type TransactionOptions } from './transaction.ts'

/** What a scope is made of. */
export interface ScopeParts {
  connection: RequestConnection
  identity: Identity | undefined
  /** The transaction that everything is in. */
  open: OpenTransaction | undefined
}

/**
 * @param taker - Who wants to know, for the error.
 * @throws {NullpoolError} `ERR_OPTIONS` for anything but a scope.
 */
export function partsOf(scope: Scope, taker: string): ScopeParts {
  if (scope instanceof RequestScope) return scope.parts
  throw new NullpoolError('ERR_OPTIONS', `${taker} takes a scope.`, {
    hint: 'That is c.var.db of a request, or what database.run() gives, made by the same copy of this package.',
  })
}

/** What a handler is given: clients on the connection of its request. */
export class RequestScope implements Scope {
  readonly sql: Sql
  readonly #connection: RequestConnection
  readonly #identity: Identity | undefined
  readonly #open: OpenTransaction | undefined
  readonly #spares: SpareClients

  /**
   * Takes for whom its statements run (without it, they run as the connection's own role), and the
   * transaction that everything is to be in.
   */
  constructor(connection: RequestConnection, identity?: Identity, open?: OpenTransaction) {
    this.#connection = connection
    this.#identity = identity
    this.#open = open
    const create = (): Sql => connection.clients.create({ identity })
    this.#spares = new SpareClients(create)
    this.sql = (open?.sql as Sql | undefined) ?? lazySql(create, () => connection.admit())
  }

  /** What adapters of other drivers are made of. */
  get parts(): ScopeParts {
    return { connection: this.#connection, identity: this.#identity, open: this.#open }
  }

  get metrics(): ScopeMetrics {
    return this.#connection.metrics
  }

  transaction<T>(work: (sql: TransactionSql) => Promise<T>): Promise<T>
  transaction<T>(options: TransactionOptions, work: (sql: TransactionSql) => Promise<T>): Promise<T>
  transaction<T>(
    first: TransactionOptions | ((sql: TransactionSql) => Promise<T>),
    second?: (sql: TransactionSql) => Promise<T>,
  ): Promise<T> {
    refuseWhileBuilding()
    const [options, work] = typeof first === 'function' ? [{}, first] : [first ?? {}, second]
    const { connection, identity, open: whole } = this.parts
    return runTransaction({ connection, identity, whole }, options, work)
  }

  async batch<const T extends readonly PromiseLike<unknown>[]>(
    work: (sql: Sql) => T,
  ): Promise<BatchResults<T>> {
    const enclosing = this.#open ?? enclosingTransaction(this.#connection, this.#identity)
    if (enclosing) return runInTransaction(enclosing, work)
    return runBatch(this.#connection, this.#identity, this.sql, work)
  }

  as(claims: Claims | null | undefined, settings: Record<string, string> = {}): Scope {
    if (this.#open) throw insideTransaction()
    return new RequestScope(this.#connection, this.#connection.identify(claims, settings))
  }

  abortable<T>(query: Cancellable<T>, signal: AbortSignal): Promise<T> {
    const connection = this.#connection
    const isOwn = makerOf(query) === this.sql && isUnbegun(query)
    const giveBack = isOwn ? this.#spares.lend(query) : () => undefined
    const giveUp = (): void => connection.giveUp()
    return abortable(query, signal, connection.closeTimeoutMs, giveUp).finally(giveBack)
  }

  hold(promise: Promise<unknown>): void {
    this.#connection.hold(promise)
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
