import { abortable, type Cancellable } from './abortable.ts'
import type { Sql, TransactionSql } from './drivers/driver.ts'
import { lazySql } from './lazy-sql.ts'
import type { RequestConnection } from './request-connection.ts'
import type { Scope, ScopeMetrics } from './scope.ts'
import { runTransaction, type TransactionOptions } from './transaction.ts'

/** What a handler is given: clients on the connection of its request. */
export class RequestScope implements Scope {
  readonly sql: Sql
  readonly #connection: RequestConnection

  constructor(connection: RequestConnection) {
    this.#connection = connection
    this.sql = lazySql(
      () => connection.createClient(),
      () => connection.admit(),
    )
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
    const [options, work] = typeof first === 'function' ? [{}, first] : [first, second]
    return runTransaction(this.#connection, options, work)
  }

  abortable<T>(query: Cancellable<T>, signal: AbortSignal): Promise<T> {
    const connection = this.#connection
    return abortable(query, signal, connection.closeTimeoutMs, () => connection.giveUp())
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
