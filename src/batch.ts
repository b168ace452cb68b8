import type { Identity } from './claims.ts'
import type { Sql } from './drivers/driver.ts'
import { checkStatements, handOver } from './drivers/hand-over.ts'
import { NullpoolError } from './errors.ts'
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
  const statements = makeStatements(sql, work)
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
  sql: Sql,
  work: BatchWork<T>,
): Promise<BatchResults<T>> {
  return (await Promise.all(makeStatements(sql, work))) as BatchResults<T>
}

function makeStatements<const T extends readonly unknown[]>(sql: Sql, work: BatchWork<T>): T {
  if (typeof work !== 'function') {
    throw new NullpoolError('ERR_OPTIONS', 'batch() takes a function.')
  }
  const statements = work(sql)
  checkStatements(statements)
  return statements
}
