import type { Sql, TransactionSql } from './drivers/driver.ts'
import { savepointOptions, sessionRequired, transactionOver } from './scope-refusals.ts'

type Work = (sql: TransactionSql) => unknown

/** What the client of a transaction must not be asked for: another connection, or its end. */
const NOT_HERE: ReadonlySet<PropertyKey> = new Set([
  'reserve',
  'listen',
  'subscribe',
  'end',
  'close',
])

/** Numbers the savepoints of one transaction. */
export interface Savepoints {
  count: number
}

/** The handle of a transaction or of a savepoint, and the way to take it back. */
export interface Handle {
  sql: TransactionSql
  /** From now on, using it throws. */
  revoke(): void
}

/**
 * What `work` is given: a client that is in a transaction, as postgres.js's own handles are.
 *
 * @param client - A client of which nothing but this transaction is.
 */
export function transactionHandle(client: Sql, savepoints: Savepoints = { count: 0 }): Handle {
  let alive = true
  const admit = (): void => {
    if (!alive) throw transactionOver()
  }
  const savepoint = (first: string | Work, second?: Work): Promise<unknown> => {
    admit()
    const [name, work] = typeof first === 'function' ? ['', first] : [first, second]
    return runSavepoint(client, savepoints, name, work)
  }
  const begin = async (first: string | Work, second?: Work): Promise<unknown> => {
    if (typeof first === 'string' && first.trim()) throw savepointOptions()
    return savepoint(typeof first === 'function' ? first : (second as Work))
  }
  const prepare = (): never => {
    throw sessionRequired('A prepared transaction')
  }
  const own: Record<PropertyKey, unknown> = { begin, savepoint, prepare }
  const sql = new Proxy(client, {
    apply(target, _self, values: unknown[]) {
      admit()
      return Reflect.apply(target, undefined, values)
    },
    get(target, key) {
      if (Object.hasOwn(own, key)) return own[key]
      if (NOT_HERE.has(key)) return undefined
      const value: unknown = Reflect.get(target, key)
      if (key !== 'unsafe' && key !== 'file' && key !== 'notify') return value
      return (...values: unknown[]) => {
        admit()
        return (value as (...values: unknown[]) => unknown)(...values)
      }
    },
  })
  return {
    sql: sql as unknown as TransactionSql,
    revoke() {
      alive = false
    },
  }
}

async function runSavepoint(
  client: Sql,
  savepoints: Savepoints,
  name: string,
  work: Work | undefined,
): Promise<unknown> {
  savepoints.count += 1
  const savepoint = `"s${savepoints.count}${name ? `_${name.replaceAll('"', '""')}` : ''}"`
  await client.unsafe(`savepoint ${savepoint}`)
  const handle = transactionHandle(client, savepoints)
  try {
    const result = await work?.(handle.sql)
    return Array.isArray(result) ? await Promise.all(result) : result
  } catch (error) {
    // A connection that has gone has rolled back more than this; the error tells.
    await client.unsafe(`rollback to ${savepoint}`).catch(() => undefined)
    throw error
  } finally {
    handle.revoke()
  }
}
