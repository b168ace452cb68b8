import type { PostgresCursor } from 'kysely'
import type { KyselyStatement, MakeStatement } from './kysely-statement.ts'

/** What Kysely streams with, as `pg-cursor` for `pg`: give it to `PostgresDialect` as `cursor`. */
export class KyselyCursor<T> implements PostgresCursor<T> {
  readonly #text: string
  readonly #parameters: readonly unknown[]
  #make: MakeStatement | undefined
  #statement: KyselyStatement | undefined
  #batches: AsyncIterator<object[]> | undefined
  /** Whether its reader waits for rows. */
  #isReading = false

  constructor(text: string, parameters: unknown[]) {
    this.#text = text
    this.#parameters = parameters
  }

  /** Takes what makes its statement, with the first rows that are asked for. */
  start(make: MakeStatement): void {
    this.#make = make
  }

  /** The next rows, none at the end; the number of the first call holds for all. */
  async read(count: number): Promise<T[]> {
    this.#isReading = true
    try {
      this.#batches ??= await this.#begin(count)
      const { value, done } = (await this.#batches?.next()) ?? { value: [], done: true }
      // Where it was stopped, these are not all rows.
      this.#statement?.admit()
      return done ? [] : [...(value as T[])]
    } catch (error) {
      throw this.#statement?.explain(error) ?? error
    } finally {
      this.#isReading = false
    }
  }

  /** Ends it early, or does nothing. */
  async close(): Promise<void> {
    await this.#batches?.return?.()
  }

  async #begin(count: number): Promise<AsyncIterator<object[]> | undefined> {
    this.#statement = await this.#make?.(this.#text, this.#parameters, () => this.#stop())
    return this.#statement?.query.cursor(count)[Symbol.asyncIterator]()
  }

  /** The server may be at it, or wait until more rows are asked for. */
  #stop(): void {
    if (this.#isReading) this.#statement?.query.cancel()
    else void this.close()
  }
}
