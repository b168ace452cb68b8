import { runtime } from '#runtime'
import { type Identity, refuseIdentity } from './claims.ts'
import type { TransactionSql } from './drivers/driver.ts'
import { NullpoolError } from './errors.ts'
import { OpenTransaction } from './open-transaction.ts'
import type { ClientTypes } from './request-clients.ts'
import type { ScopeConnection } from './scope-connection.ts'
import { savepointOptions } from './scope-refusals.ts'
import { settledResult } from './transaction-handle.ts'
import {
  asksForNothing,
  readTransactionOptions,
  type TransactionOptions,
} from './transaction-options.ts'

export type { TransactionOptions } from './transaction-options.ts'

type Work<T> = (sql: TransactionSql) => Promise<T>

/** The transactions that the code at hand runs in, innermost first. */
const current = runtime.createContext<readonly OpenTransaction[]>()

const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 1_000

/** Runs `work` so that a transaction in it is a savepoint of this one. */
export function runInside<T>(open: OpenTransaction, work: () => T): T {
  return current.run([open, ...(current.get() ?? [])], work)
}

/** The innermost transaction of this connection and somebody that the code at hand runs in. */
export function enclosingTransaction(
  connection: ScopeConnection,
  identity: Identity | undefined,
): OpenTransaction | undefined {
  return current.get()?.find((open) => open.isOpenFor(connection, identity))
}

/** Where a transaction is to be. */
export interface TransactionPlace {
  connection: ScopeConnection
  identity: Identity | undefined
  /** The transaction that the whole request is. */
  whole?: OpenTransaction | undefined
  types?: ClientTypes | undefined
}

/** See `Scope.transaction`. */
export async function runTransaction<T>(
  place: TransactionPlace,
  options: TransactionOptions,
  work: Work<T> | undefined,
): Promise<T> {
  if (typeof work !== 'function') {
    throw new NullpoolError('ERR_OPTIONS', 'transaction() takes a function, after its options.')
  }
  const { connection, identity, whole, types } = place
  connection.admit()
  const beginning = readTransactionOptions(options)
  if (identity) refuseIdentity(beginning.settings)
  const enclosing = whole ?? enclosingTransaction(connection, identity)
  if (enclosing) return runNested(enclosing, options, types, work)
  for (let attempt = 0; ; attempt += 1) {
    const open = new OpenTransaction(connection, identity, beginning)
    try {
      return await runOnce(open, types, work)
    } catch (error) {
      if (attempt >= beginning.retries || open.lost || !isConflict(error)) throw error
      await pause(attempt)
      connection.admit()
    }
  }
}

async function runOnce<T>(
  open: OpenTransaction,
  types: ClientTypes | undefined,
  work: Work<T>,
): Promise<T> {
  let result: T
  try {
    const working = runInside(open, async () => settledResult(work(open.handle(types))))
    result = await Promise.race([working, open.failed])
  } catch (error) {
    open.rollBack()
    throw open.explain(error)
  }
  await open.commit()
  return result
}

function runNested<T>(
  enclosing: OpenTransaction,
  options: TransactionOptions,
  types: ClientTypes | undefined,
  work: Work<T>,
): Promise<T> {
  if (!asksForNothing(options)) throw savepointOptions()
  return enclosing.handle(types).savepoint((sql) => work(sql)) as Promise<T>
}

/** A serialization failure or a deadlock, also where an ORM has put its own error around it. */
function isConflict(error: unknown): boolean {
  let at: unknown = error
  for (let depth = 0; depth < 5 && at instanceof Error; depth += 1) {
    if ('code' in at && (at.code === '40001' || at.code === '40P01')) return true
    at = at.cause
  }
  return false
}

function pause(attempt: number): Promise<void> {
  const longest = Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS)
  return new Promise((resolve) => setTimeout(resolve, Math.random() * longest))
}
