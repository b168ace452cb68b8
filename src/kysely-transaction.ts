import type { TransactionSql } from './drivers/driver.ts'
import { asAborted } from './kysely-errors.ts'
import { kyselyTypes } from './kysely-values.ts'
import { OpenTransaction } from './open-transaction.ts'
import type { ScopeParts } from './request-scope.ts'

/** What Kysely has begun, a statement at a time: a transaction, or a savepoint of one. */
export interface KyselyTransaction {
  readonly sql: TransactionSql
  /** @throws {NullpoolError} for the text of a statement that it does not take. */
  admit(text: string): void
  /** Rejects where it was not committed; what comes behind it then fails until it is rolled back. */
  commit(): Promise<void>
  /** Never rejects. */
  rollBack(): Promise<void>
  /** The error of a statement, as its caller is told. */
  explain(error: unknown): unknown
  /** Told that it has gone back to a savepoint of Kysely's. */
  recovered(): void
}

/** A transaction of its own. */
export function beginTransaction(parts: ScopeParts, begin: string): KyselyTransaction {
  const { connection, identity } = parts
  // What a serializable transaction has read holds only once it has been committed.
  const endsSafely = readsOnly(begin) && !begin.includes('serializable')
  const open = new OpenTransaction(connection, identity, {
    ...{ begin, settings: [], retries: 0, endsSafely },
  })
  return {
    sql: open.handle(kyselyTypes),
    admit: () => undefined,
    async commit() {
      try {
        await open.commit()
      } catch (error) {
        throw asAborted(error)
      }
    },
    async rollBack() {
      open.rollBack()
    },
    explain: (error) => open.explain(error),
    recovered: () => undefined,
  }
}

/** Of several access modes the server takes the last. */
function readsOnly(begin: string): boolean {
  return begin.match(/\bread (only|write)\b/g)?.at(-1) === 'read only'
}
