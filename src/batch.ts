import { buildStatements } from './building-statements.ts'
import type { Identity } from './claims.ts'
import type { Sql } from './drivers/driver.ts'
import { checkStatements, handOver } from './drivers/hand-over.ts'
import { NullpoolError } from './errors.ts'
import { makerOf } from './lazy-sql.ts'
import type { OpenTransaction } from './open-transaction.ts'
import type { ScopeConnection } from './scope-connection.ts'
import { withOutcome } from './transaction-outcome.ts'

/** The results of statements, in their order. */
export type BatchResults<T extends readonly PromiseLike<unknown>[]> = {
  -readonly [K in keyof T]: Awaited<T[K]>
}

/** What `batch` is given: makes the statements and awaits none. */
export type BatchWork<T> = (sql: Sql) => T

/** See `Scope.batch`. */
export async function runBatch<const T extends readonly PromiseLike<unknown>[]>(
  connection: ScopeConnection,
  identity: Identity | undefined,
  sql: Sql,
  work: BatchWork<T>,
): Promise<BatchResults<T>> {
  connection.admit()
  const statements = makeStatements(sql, work, (statement) => makerOf(statement) === sql)
  if (statements.length === 0) return [] as unknown as BatchResults<T>
  const { client, batch } = connection.clients.createBatch(identity, statements.length)
  handOver(statements, client)
  try {
    return (await Promise.all(statements)) as BatchResults<T>
  } catch (error) {
    const { outcome } = batch
    throw outcome && NullpoolError.is(error) ? withOutcome(error, outcome) : error
  } finally {
    batch.retire()
  }
}

/** The same inside of a transaction, whose statements they become. */
export async function runInTransaction<const T extends readonly PromiseLike<unknown>[]>(
  open: OpenTransaction,
  work: BatchWork<T>,
): Promise<BatchResults<T>> {
  const sql = open.sql as unknown as Sql
  const statements = makeStatements(sql, work, (statement) => open.made(statement))
  return (await Promise.all(statements)) as BatchResults<T>
}

/** Statements of another client would run as somebody else, or outside of a transaction. */
function makeStatements<const T extends readonly unknown[]>(
  sql: Sql,
  work: BatchWork<T>,
  isOwn: (statement: unknown) => boolean,
): T {
  if (typeof work !== 'function') {
    throw new NullpoolError('ERR_OPTIONS', 'batch() takes a function.')
  }
  const statements = buildStatements(() => work(sql))
  checkStatements(statements)
  if (!statements.every(isOwn)) {
    throw new NullpoolError('ERR_OPTIONS', 'batch() takes statements of its own scope.', {
      hint: 'Build them with the sql that its function is given: a sql of other claims, or of a transaction, runs elsewhere.',
    })
  }
  return statements
}
