import { NullpoolError } from './errors.ts'

/** By which Kysely knows that a COMMIT was answered by ROLLBACK: nothing is left to roll back. */
const ABORTED: symbol = Symbol.for('kysely.AbortedTransactionError')

/** What `pg` and postgres.js call the same field of an error. */
const NAMES = [
  ['schema', 'schema_name'],
  ['table', 'table_name'],
  ['column', 'column_name'],
  ['dataType', 'data type_name'],
  ['constraint', 'constraint_name'],
  ['internalPosition', 'internal_position'],
  ['internalQuery', 'internal_query'],
] as const

/** The same error; one of the server has the names of `pg` too, by which Kysely's users know it. */
export function withNamesOfPg(error: unknown): unknown {
  if (!isOfServer(error)) return error
  for (const [theirs, ours] of NAMES) {
    if (ours in error && !(theirs in error)) Reflect.set(error, theirs, Reflect.get(error, ours))
  }
  return error
}

/** Whether the server has refused a statement, which ends a transaction but for its rollback. */
export function isOfServer(error: unknown): error is Error {
  return error instanceof Error && error.name === 'PostgresError'
}

/** The same error; Kysely takes one of a transaction that was rolled back at its COMMIT for its own. */
export function asAborted(error: unknown): unknown {
  const rolledBack = NullpoolError.is(error) && error.code === 'ERR_TRANSACTION_ROLLED_BACK'
  return rolledBack ? Object.defineProperty(error, ABORTED, { value: true }) : error
}
