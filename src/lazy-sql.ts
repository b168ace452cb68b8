import { refuseWhileBuilding } from './building-statements.ts'
import type { Sql } from './drivers/driver.ts'

/** What runs statements; the rest of `sql` only builds values and fragments. */
const STATEMENTS: ReadonlySet<PropertyKey> = new Set([
  'unsafe',
  'begin',
  'reserve',
  'file',
  'largeObject',
  'notify',
  'listen',
  'subscribe',
])

/** Which client made a statement. */
const makers = new WeakMap<object, Sql>()

/** The client that made a statement, as {@link lazySql} gave it. */
export function makerOf(statement: unknown): Sql | undefined {
  return typeof statement === 'object' && statement !== null ? makers.get(statement) : undefined
}

/**
 * A client that is made at its first use, so that a route that does not query pays nothing.
 *
 * @param create - Makes the real client, once.
 * @param admit - Throws when a statement may not be started now.
 */
export function lazySql(create: () => Sql, admit: () => void): Sql {
  let made: Sql | undefined
  const client = (): Sql => {
    made ??= create()
    return made
  }
  const note = (statement: unknown): unknown => {
    if (statement instanceof Promise) makers.set(statement, lazy)
    return statement
  }
  const lazy = new Proxy((() => undefined) as unknown as Sql, {
    apply(_target, _self, values: unknown[]) {
      admit()
      return note(Reflect.apply(client(), undefined, values))
    },
    get(target, key) {
      // Inspecting a context must not connect, or fail for want of a connection string.
      if (typeof key === 'symbol' || key === 'then') return Reflect.get(target, key)
      const value: unknown = Reflect.get(client(), key)
      if (!STATEMENTS.has(key) || typeof value !== 'function') return value
      return (...values: unknown[]) => {
        if (key === 'begin') refuseWhileBuilding()
        admit()
        return note(Reflect.apply(value, client(), values))
      }
    },
    set(_target, key, value) {
      return Reflect.set(client(), key, value)
    },
    has(_target, key) {
      return Reflect.has(client(), key)
    },
  })
  return lazy
}
