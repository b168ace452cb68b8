import type { PostgresCursor } from 'kysely'
import type { Sql, TransactionSql } from './drivers/driver.ts'

/** What Kysely streams with, as `pg-cursor` for `pg`: give it to `PostgresDialect` as `cursor`. */
export class KyselyCursor<T> implements PostgresCursor<T> {
  readonly #text: string
  readonly #parameters: unknown[]
  #sql: Sql | TransactionSql | undefined
  #batches: AsyncIterator<object[]> | undefined

  constructor(text: string, parameters: unknown[]) {
    this.#text = text
    this.#parameters = parameters
  }

  /** Where it reads, from now on. */
  start(sql: Sql | TransactionSql): void {
    this.#sql = sql
  }

  /** The next rows, none at the end; the number of the first call holds for all. */
  async read(count: number): Promise<T[]> {
    this.#batches ??= this.#sql
      ?.unsafe(this.#text, this.#parameters as never[])
      .cursor(count)
      [Symbol.asyncIterator]()
    const { value, done } = (await this.#batches?.next()) ?? { value: [], done: true }
    return done ? [] : [...(value as T[])]
  }

  /** Ends it early, or does nothing. */
  async close(): Promise<void> {
    await this.#batches?.return?.()
  }
}
