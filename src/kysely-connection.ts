import type { PostgresCursor, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import type { Sql, TransactionSql } from './drivers/driver.ts'
import { NullpoolError } from './errors.ts'
import { KyselyCursor } from './kysely-cursor.ts'
import { withNamesOfPg } from './kysely-errors.ts'
import { beginSavepoint } from './kysely-savepoint.ts'
import type { KyselyStatement, MakeStatement } from './kysely-statement.ts'
import { beginTransaction, type KyselyTransaction } from './kysely-transaction.ts'
import { writeValue } from './kysely-values.ts'
import type { ScopeParts } from './request-scope.ts'
import { transactionOver } from './scope-refusals.ts'
import { enclosingTransaction } from './transaction.ts'
import { wordsOf } from './wire/control-statement.ts'
import { settledWithin } from './wire/deadline.ts'
import { beginTag, endTag } from './wire/transaction-control.ts'

/** What Kysely takes for a connection: the request's, with a transaction of its own at the most. */
export class KyselyConnection implements PostgresPoolClient {
  /** By which Kysely asks to cancel what runs here; no server knows it. */
  readonly processID: number
  readonly #parts: ScopeParts
  readonly #sql: Sql | TransactionSql
  readonly #released: (connection: KyselyConnection, mayServe: boolean) => void
  /** Stays where its COMMIT has failed, so that nothing takes effect at once that was to be in it. */
  #transaction: KyselyTransaction | undefined
  /** Whether its COMMIT has failed: the next BEGIN begins another one. */
  #hasFailed = false
  /** Whether its end is under way. */
  #isEnding = false
  /** Whether one has ended, and whoever ended it may not have heard of that. */
  #hasEnded = false
  /** Whether there has been one. */
  #hasBegun = false
  /** Whether it was given back after one: whatever still comes was to be in that. */
  #isOver = false
  /** What the server is at, and what stops it. */
  readonly #running = new Map<Promise<unknown>, () => void>()

  /**
   * @param sql - What it runs statements with outside of a transaction of its own.
   * @param released - Told when it is given back, and whether it may serve somebody else.
   */
  constructor(
    processID: number,
    parts: ScopeParts,
    sql: Sql | TransactionSql,
    released: (connection: KyselyConnection, mayServe: boolean) => void,
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
    first.start(this.#make)
    return first
  }

  /** Stops what runs here, at the server. */
  cancel(): void {
    for (const stop of this.#running.values()) stop()
  }

  release(discarded?: boolean): void {
    void this.#rollBack()
    this.#isOver = this.#hasBegun
    this.#released(this, !discarded && !this.#isOver)
  }

  async #run<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    const words = wordsOf(text) ?? ''
    const ends = endTag(words)
    const begins = beginTag(words)
    if (begins || ends) this.#admit()
    if (begins) await this.#begin(words)
    // Answered here: Kysely sends it behind a COMMIT that has failed too, whose error is the one to tell.
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
    const statement = await this.#make(text, parameters)
    try {
      const result = await statement.query
      if (/^rollback .*\bto\b/.test(words)) this.#transaction?.recovered()
      const { command, count } = result
      return { command, rowCount: count, rows: [...result] } as never
    } catch (error) {
      throw statement.explain(error)
    }
  }

  readonly #make: MakeStatement = async (text, parameters, stop): Promise<KyselyStatement> => {
    if (this.#hasEnded) await this.#untilHeard()
    this.#admit()
    const transaction = this.#transaction
    const explain = (error: unknown): unknown => explained(error, transaction)
    const admit = (): void => {
      if (transaction && (this.#isEnding || this.#transaction !== transaction)) {
        throw transactionOver()
      }
    }
    try {
      transaction?.admit(text)
      const sql = transaction?.sql ?? this.#sql
      const query = sql.unsafe(text, parameters.map(writeValue) as never[])
      this.#note(query, stop ?? (() => query.cancel()))
      return { query, admit, explain }
    } catch (error) {
      throw explain(error)
    }
  }

  #note(query: Promise<unknown>, stop: () => void): void {
    const settled = (): void => void this.#running.delete(query)
    this.#running.set(query, stop)
    // Not its own `then`, which would begin it.
    Promise.prototype.then.call(query, settled, settled)
  }

  #admit(): void {
    if (this.#isEnding || this.#isOver) throw transactionOver()
  }

  /**
   * A transaction of Kysely's gives its connection back at its end, but a few steps later. Whatever comes
   * between was waiting for its turn in the transaction, and must not run outside of it; whoever has written
   * BEGIN and COMMIT by hand goes on here.
   */
  async #untilHeard(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0))
    this.#hasEnded = false
  }

  async #begin(begin: string): Promise<void> {
    if (this.#transaction && !this.#hasFailed) return this.#beginAgain(begin)
    // What came before it and waits is in no transaction.
    if (this.#hasEnded) await this.#untilHeard()
    this.#hasBegun = true
    await this.#rollBack()
    this.#hasEnded = false
    const { connection, identity, open } = this.#parts
    const enclosing = open ?? enclosingTransaction(connection, identity)
    this.#transaction = enclosing
      ? await beginSavepoint(enclosing, begin)
      : beginTransaction(this.#parts, begin)
    if (!this.#isOver) return
    // Nobody has waited for its turn, and nobody would end it.
    await this.#rollBack()
    throw transactionOver()
  }

  /** As the server does it: with a warning, and the modes are those of the transaction at hand. */
  async #beginAgain(begin: string): Promise<void> {
    const modes = begin.replace(/^(begin( work| transaction)?|start transaction)/, '')
    if (modes) await this.#execute(`set transaction${modes}`, [], '')
    const message = 'WARNING: there is already a transaction in progress'
    this.#parts.connection.clients.warn({ code: '25001', message })
  }

  async #commit(transaction: KyselyTransaction): Promise<void> {
    this.#isEnding = true
    try {
      await transaction.commit()
      this.#transaction = undefined
      this.#hasEnded = true
    } catch (error) {
      this.#hasFailed = true
      throw explained(error, undefined)
    } finally {
      this.#isEnding = false
    }
  }

  /** What comes meanwhile is refused, until the server has heard of everything that was to be undone. */
  async #rollBack(): Promise<void> {
    const transaction = this.#transaction
    if (!transaction || this.#isEnding) return
    this.#isEnding = true
    // Whatever it does would be undone, and everybody would wait for it.
    if (this.#running.size > 0) await this.#stop()
    await transaction.rollBack()
    this.#transaction = undefined
    this.#hasFailed = false
    this.#hasEnded = true
    this.#isEnding = false
  }

  async #stop(): Promise<void> {
    this.cancel()
    const running = Promise.allSettled(this.#running.keys())
    await settledWithin(running, this.#parts.connection.closeTimeoutMs)
  }
}

function explained(error: unknown, transaction: KyselyTransaction | undefined): unknown {
  return withNamesOfPg(transaction?.explain(error) ?? error)
}
