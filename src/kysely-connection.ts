import type { PostgresCursor, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import type { Sql, TransactionSql } from './drivers/driver.ts'
import { NullpoolError } from './errors.ts'
import { KyselyCursor } from './kysely-cursor.ts'
import { withNamesOfPg } from './kysely-errors.ts'
import { beginSavepoint } from './kysely-savepoint.ts'
import { beginTransaction, type KyselyTransaction } from './kysely-transaction.ts'
import { writeValue } from './kysely-values.ts'
import type { ScopeParts } from './request-scope.ts'
import { enclosingTransaction } from './transaction.ts'
import { wordsOf } from './wire/control-statement.ts'
import { settledWithin } from './wire/deadline.ts'
import { beginTag, endTag } from './wire/transaction-control.ts'

/** A statement that the server is at. */
interface Running extends Promise<unknown> {
  cancel(): void
}

/** What Kysely takes for a connection: the request's, with a transaction of its own at the most. */
export class KyselyConnection implements PostgresPoolClient {
  /** By which Kysely asks to cancel what runs here; no server knows it. */
  readonly processID: number
  readonly #parts: ScopeParts
  readonly #sql: Sql | TransactionSql
  readonly #released: (connection: KyselyConnection) => void
  /** Stays where its COMMIT has failed, so that nothing takes effect at once that was to be in it. */
  #transaction: KyselyTransaction | undefined
  #running: Running | undefined

  /** @param sql - What it runs statements with outside of a transaction of its own. */
  constructor(
    processID: number,
    parts: ScopeParts,
    sql: Sql | TransactionSql,
    released: (connection: KyselyConnection) => void,
  ) {
    this.processID = processID
    this.#parts = parts
    this.#sql = sql
    this.#released = released
  }

  query<R>(text: string, parameters?: readonly unknown[]): Promise<PostgresQueryResult<R>>
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>
  query<R>(
    first: string | PostgresCursor<R>,
    parameters: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof first === 'string') return this.#run(first, parameters)
    if (!(first instanceof KyselyCursor)) {
      throw new NullpoolError('ERR_OPTIONS', 'The cursor of another driver cannot be read here.', {
        hint: 'Pass cursor: kyselyCursor of nullpool/kysely to PostgresDialect.',
      })
    }
    const transaction = this.#transaction
    first.start(transaction?.sql ?? this.#sql, (error) => explained(error, transaction))
    return first
  }

  /** Stops what runs here, at the server. */
  cancel(): void {
    this.#running?.cancel()
  }

  release(discarded?: boolean): void {
    void this.#transaction?.rollBack()
    this.#transaction = undefined
    if (!discarded) this.#released(this)
  }

  async #run<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    const words = wordsOf(text) ?? ''
    const ends = endTag(words)
    if (beginTag(words)) await this.#begin(words)
    else if (ends === 'ROLLBACK') await this.#rollBack()
    else if (ends && this.#transaction) await this.#commit(this.#transaction)
    else return this.#execute(text, parameters, words)
    return { command: ends ?? 'BEGIN', rowCount: 0, rows: [] } as unknown as PostgresQueryResult<R>
  }

  async #execute<R>(
    text: string,
    parameters: readonly unknown[],
    words: string,
  ): Promise<PostgresQueryResult<R>> {
    const transaction = this.#transaction
    let running: Running | undefined
    try {
      const sql = transaction?.sql ?? this.#sql
      const query = sql.unsafe(text, parameters.map(writeValue) as never[])
      this.#running = running = query
      const result = await query
      if (/^rollback .*\bto\b/.test(words)) transaction?.recovered()
      const { command, count } = result
      return { command, rowCount: count, rows: [...result] } as never
    } catch (error) {
      throw explained(error, transaction)
    } finally {
      if (this.#running === running) this.#running = undefined
    }
  }

  async #begin(begin: string): Promise<void> {
    const { connection, identity, open } = this.#parts
    await this.#transaction?.rollBack()
    this.#transaction = undefined
    const enclosing = open ?? enclosingTransaction(connection, identity)
    this.#transaction = enclosing
      ? await beginSavepoint(enclosing, begin)
      : beginTransaction(this.#parts, begin)
  }

  async #commit(transaction: KyselyTransaction): Promise<void> {
    try {
      await transaction.commit()
      this.#transaction = undefined
    } catch (error) {
      throw explained(error, undefined)
    }
  }

  /** Answered here: Kysely sends it behind a COMMIT that has failed too, whose error is the one to tell. */
  async #rollBack(): Promise<void> {
    const transaction = this.#transaction
    this.#transaction = undefined
    if (!transaction) return
    // Whatever it does would be undone, and everybody would wait for it.
    await this.#stop(this.#running)
    await transaction.rollBack()
  }

  async #stop(running: Running | undefined): Promise<void> {
    if (running === undefined) return
    running.cancel()
    await settledWithin(running, this.#parts.connection.closeTimeoutMs)
  }
}

function explained(error: unknown, transaction: KyselyTransaction | undefined): unknown {
  return withNamesOfPg(transaction?.explain(error) ?? error)
}
