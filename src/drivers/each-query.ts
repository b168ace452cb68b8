import type { Sql, TransactionSql } from './driver.ts'
import type { Outstanding } from './outstanding.ts'

/** A client, or a handle of one: a transaction's, a savepoint's, a reservation's. */
type Handle = Sql | TransactionSql
type Callable = (...values: unknown[]) => unknown

const MAKES_QUERIES: ReadonlySet<PropertyKey> = new Set(['unsafe', 'file'])
const LENDS_HANDLES: ReadonlySet<PropertyKey> = new Set(['begin', 'savepoint'])

/**
 * The same client, with `change` called on everything that it makes, and on everything that the handles
 * of its transactions and savepoints make.
 */
export function eachQuery<T extends Handle>(
  handle: T,
  change: (made: unknown) => void,
  outstanding: Outstanding,
): T {
  const changed = (made: unknown): unknown => {
    change(made)
    return made
  }
  return new Proxy(handle, {
    apply: (target, _self, values: unknown[]) =>
      changed(Reflect.apply(target as unknown as Callable, undefined, values)),
    get(target, key) {
      const value: unknown = Reflect.get(target, key)
      if (typeof value !== 'function') return value
      if (MAKES_QUERIES.has(key)) return (...values: unknown[]) => changed(value(...values))
      if (LENDS_HANDLES.has(key)) {
        return (...values: unknown[]) =>
          outstanding.watch(
            value(...values.map((given) => lend(given, change, outstanding))) as Promise<unknown>,
          )
      }
      return value
    },
  })
}

/** The work of a transaction gets a handle of the same kind. */
function lend(given: unknown, change: (made: unknown) => void, outstanding: Outstanding): unknown {
  if (typeof given !== 'function') return given
  return (handle: TransactionSql) => given(eachQuery(handle, change, outstanding))
}
