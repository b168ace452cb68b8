import type { PostgresCursor, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import type { Sql, TransactionSql } from './drivers/driver.ts'
import { NullpoolError } from './errors.ts'
import { KyselyCursor } from './kysely-cursor.ts'
import { OpenTransaction } from './open-transaction.ts'
import type { ScopeParts } from './request-scope.ts'
import { wordsOf } from './wire/control-statement.ts'
import { beginTag, endTag } from './wire/transaction-control.ts'

/** Makes a transaction of Kysely's a savepoint where the request is a transaction. */
const SAVEPOINT = {
  begin: 'savepoint kysely',
  commit: 'release kysely',
  rollback: 'rollback to kysely',
}

/** What Kysely takes for a connection: the request's, with a transaction of its own at the most. */
export class KyselyConnection implements PostgresPoolClient {
  /** By which Kysely asks to cancel what runs here; no server knows it. */
  readonly processID: number
  readonly #parts: ScopeParts
  readonly #sql: Sql
  readonly #released: (connection: KyselyConnection) => void
  #transaction: OpenTransaction | undefined
  #inSavepoint = false
  #running: { cancel(): void } | undefined

  constructor(
    processID: number,
    parts: ScopeParts,
    sql: Sql,
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
    first.start(this.#client)
    return first
  }

  /** Stops what runs here, at the server. */
  cancel(): void {
    this.#running?.cancel()
  }

  release(): void {
    this.#transaction?.rollBack()
    this.#transaction = undefined
    this.#released(this)
  }

  get #client(): Sql | TransactionSql {
    return this.#transaction?.sql ?? this.#sql
  }

  async #run<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    const words = wordsOf(text) ?? ''
    const ends = endTag(words)
    if (beginTag(words)) return this.#begin(words)
    if (ends && this.#inSavepoint) return this.#endSavepoint(ends)
    if (ends && this.#transaction) return this.#end(this.#transaction, ends)
    // pg takes undefined for null too.
    const values = parameters.map((value) => (value === undefined ? null : value))
    try {
      const query = this.#client.unsafe(text, values as never[])
      this.#running = query
      const result = await query
      const { command, count } = result
      return {
        command,
        rowCount: count,
        rows: [...result],
      } as PostgresQueryResult<unknown> as never
    } catch (error) {
      throw this.#transaction?.explain(error) ?? error
    } finally {
      this.#running = undefined
    }
  }

  async #begin<R>(begin: string): Promise<PostgresQueryResult<R>> {
    const { connection, identity, open: whole } = this.#parts
    if (whole) {
      await this.#sql.unsafe(SAVEPOINT.begin)
      this.#inSavepoint = true
    } else {
      this.#transaction?.rollBack()
      // What a serializable transaction has read holds only once it has been committed.
      const endsSafely = begin.includes('read only') && !begin.includes('serializable')
      const beginning = { begin, settings: [], retries: 0, endsSafely }
      this.#transaction = new OpenTransaction(connection, identity, beginning)
    }
    return answer('BEGIN')
  }

  async #endSavepoint<R>(how: 'COMMIT' | 'ROLLBACK'): Promise<PostgresQueryResult<R>> {
    this.#inSavepoint = false
    await this.#sql.unsafe(how === 'COMMIT' ? SAVEPOINT.commit : SAVEPOINT.rollback)
    return answer(how)
  }

  async #end<R>(
    transaction: OpenTransaction,
    how: 'COMMIT' | 'ROLLBACK',
  ): Promise<PostgresQueryResult<R>> {
    this.#transaction = undefined
    if (how === 'ROLLBACK') {
      transaction.rollBack()
      return answer(how)
    }
    try {
      await transaction.commit()
      return answer(how)
    } catch (error) {
      // Kysely has an error of its own for that.
      const rolledBack = NullpoolError.is(error) && error.code === 'ERR_TRANSACTION_ROLLED_BACK'
      if (rolledBack) return answer('ROLLBACK')
      throw error
    }
  }
}

function answer<R>(command: string): PostgresQueryResult<R> {
  return { command, rowCount: 0, rows: [] } as unknown as PostgresQueryResult<R>
}
