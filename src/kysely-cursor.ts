import type { PostgresCursor } from 'kysely'
import type { Sql, TransactionSql } from './drivers/driver.ts'
import { writeValue } from './kysely-values.ts'

/** What Kysely streams with, as `pg-cursor` for `pg`: give it to `PostgresDialect` as `cursor`. */
export class KyselyCursor<T> implements PostgresCursor<T> {
  readonly #text: string
  readonly #parameters: readonly unknown[]
  #sql: Sql | TransactionSql | undefined
  #explain: (error: unknown) => unknown = (error) => error
  #batches: AsyncIterator<object[]> | undefined

  constructor(text: string, parameters: unknown[]) {
    this.#text = text
    this.#parameters = parameters
  }

  /** Where it reads, from now on, and what makes of an error what its reader is told. */
  start(sql: Sql | TransactionSql, explain: (error: unknown) => unknown): void {
    this.#sql = sql
    this.#explain = explain
  }

  /** The next rows, none at the end; the number of the first call holds for all. */
  async read(count: number): Promise<T[]> {
    try {
      this.#batches ??= this.#sql
        ?.unsafe(this.#text, this.#parameters.map(writeValue) as never[])
        .cursor(count)
        [Symbol.asyncIterator]()
      const { value, done } = (await this.#batches?.next()) ?? { value: [], done: true }
      return done ? [] : [...(value as T[])]
    } catch (error) {
      throw this.#explain(error)
    }
  }

  /** Ends it early, or does nothing. */
  async close(): Promise<void> {
    await this.#batches?.return?.()
  }
}
