import type { TransactionSql } from './drivers/driver.ts'
import { asAborted, isOfServer } from './kysely-errors.ts'
import type { KyselyTransaction } from './kysely-transaction.ts'
import { kyselyTypes } from './kysely-values.ts'
import type { OpenTransaction } from './open-transaction.ts'
import { refuseModes } from './savepoint-modes.ts'
import { savepointOptions, transactionRolledBack } from './scope-refusals.ts'

/** A promise, and what settles it. */
interface Settled<T> {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (reason: unknown) => void
}

/**
 * A transaction of Kysely's inside of another: a savepoint, one after another.
 *
 * @param begin - The words that begin it, which may say nothing more.
 * @throws {NullpoolError} `ERR_OPTIONS` for modes, `ERR_TRANSACTION_WAIT` behind one that does not end.
 */
export async function beginSavepoint(
  enclosing: OpenTransaction,
  begin: string,
): Promise<KyselyTransaction> {
  if (/ (isolation|read|not|deferrable)\b/.test(begin)) throw savepointOptions()
  const begun = settled<TransactionSql>()
  const end = settled<void>()
  const done = enclosing.handle(kyselyTypes).savepoint((sql) => {
    begun.resolve(sql)
    return end.promise
  }) as Promise<unknown>
  done.catch(begun.reject)
  return savepoint(enclosing, await begun.promise, end, done)
}

function savepoint(
  enclosing: OpenTransaction,
  sql: TransactionSql,
  end: Settled<void>,
  done: Promise<unknown>,
): KyselyTransaction {
  /** What has failed and was not undone: the server would refuse whatever comes behind. */
  let failure: unknown
  const rollBack = async (): Promise<void> => {
    end.reject(ROLLED_BACK)
    await done.catch(() => undefined)
  }
  return {
    sql,
    admit: refuseModes,
    rollBack,
    async commit() {
      if (failure !== undefined) {
        await rollBack()
        throw asAborted(transactionRolledBack(failure))
      }
      end.resolve()
      await done
    },
    explain(error) {
      if (isOfServer(error)) failure ??= error
      return enclosing.explain(error)
    },
    recovered() {
      failure = undefined
    },
  }
}

/** Nobody hears of it: with it the work of a savepoint fails that Kysely has rolled back. */
const ROLLED_BACK = new Error('Kysely has rolled back.')

function settled<T>(): Settled<T> {
  let resolve: Settled<T>['resolve'] = () => undefined
  let reject: Settled<T>['reject'] = () => undefined
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
