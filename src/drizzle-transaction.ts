import type { Sql, TransactionSql } from './drivers/driver.ts'
import { NullpoolError } from './errors.ts'
import { refuseModes } from './savepoint-modes.ts'
import { wordsOf } from './wire/control-statement.ts'
import { modesOf } from './wire/transaction-control.ts'

export type Work = (sql: TransactionSql) => Promise<unknown>
export type Unsafe = (text: string, ...rest: unknown[]) => unknown
type Nested = (first: Work | string, second?: Work) => Promise<unknown>

/**
 * The modes that `begin` is given, as `set transaction` takes them.
 *
 * @throws {NullpoolError} `ERR_OPTIONS` for anything else.
 */
export function readModes(text: unknown): string {
  if (text === undefined || text === '') return ''
  const words = typeof text === 'string' ? wordsOf(`set transaction ${text}`) : undefined
  const modes = words === 'set transaction' ? '' : modesOf(words ?? '')
  if (modes !== undefined) return modes
  throw new NullpoolError('ERR_OPTIONS', 'begin() was given modes that no transaction has.', {
    hint: "It takes 'isolation level serializable read only deferrable', or any of the three.",
  })
}

/** Savepoints in it are those of Drizzle. */
export function drizzleTransaction(sql: TransactionSql): TransactionSql {
  return withOwn(sql, nestedWork(sql))
}

/** Drizzle says the modes of a transaction in a statement, also where that is a savepoint. */
export function drizzleSavepoint(sql: TransactionSql): TransactionSql {
  const unsafe: Unsafe = (text, ...rest) => {
    refuseModes(text)
    return (sql.unsafe as Unsafe)(text, ...rest)
  }
  return withOwn(sql, { ...nestedWork(sql), unsafe })
}

function nestedWork(sql: TransactionSql): Record<'begin' | 'savepoint', Nested> {
  const nested =
    (run: Nested): Nested =>
    (first, second) => {
      const inner =
        (work: Work | undefined): Work =>
        async (handle) =>
          work?.(drizzleSavepoint(handle))
      return typeof first === 'function' ? run(inner(first)) : run(first, inner(second))
    }
  const { begin, savepoint } = sql as unknown as Record<'begin' | 'savepoint', Nested>
  return { begin: nested(begin), savepoint: nested(savepoint) }
}

/** A client of which some things are other ones. */
export function withOwn<T extends Sql | TransactionSql>(
  sql: T,
  own: Record<PropertyKey, unknown>,
): T {
  return new Proxy(sql, {
    get: (target, key) => (Object.hasOwn(own, key) ? own[key] : Reflect.get(target, key)),
  })
}
