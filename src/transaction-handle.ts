import { refuseWhileBuilding } from './building-statements.ts'
import type { Sql, TransactionSql } from './drivers/driver.ts'
import { type InTurn, runInTurn } from './drivers/run-in-turn.ts'
import type { Nesting } from './nesting.ts'
import {
  outsideOfTransaction,
  savepointName,
  savepointOptions,
  savepointRolledBack,
  sessionRequired,
  transactionOver,
} from './scope-refusals.ts'
import { ownSavepoint } from './wire/deferred-savepoints.ts'

type Work = (sql: TransactionSql) => unknown

/** What ends the client of a transaction, which is nobody's to end. */
const NOT_HERE: ReadonlySet<PropertyKey> = new Set(['end', 'close'])

/** What needs another connection, and so is refused, also where the types allow it: `c.var.sql`. */
const APART: Readonly<Record<string, () => Promise<never>>> = {
  reserve: () => Promise.reject(outsideOfTransaction('sql.reserve')),
  largeObject: () => Promise.reject(outsideOfTransaction('sql.largeObject')),
  listen: () => Promise.reject(sessionRequired('sql.listen')),
  subscribe: () => Promise.reject(sessionRequired('sql.subscribe')),
}

/**
 * What `work` is given: a client that is in a transaction, as postgres.js's own handles are. It is dead once
 * `nesting` is over, also for what was built before.
 *
 * @param client - A client of which nothing but this transaction is.
 * @param nesting - The transaction, or the savepoint in it, that the handle is for.
 */
export function transactionHandle(client: Sql, nesting: Nesting): TransactionSql {
  const refusal = (): unknown => (nesting.alive ? undefined : transactionOver())
  const admit = (): void => {
    if (!nesting.alive) throw transactionOver()
  }
  const inTurn = (made: unknown, sender: unknown = client): unknown => {
    const wait: InTurn = (statement, task, refuse) =>
      nesting.inTurn(statement, sender, task, refuse)
    runInTurn(made, wait, refusal)
    return made
  }
  const notify = (channel: string, payload: string): unknown => {
    admit()
    return inTurn(client`select pg_notify(${channel}, ${String(payload)})`)
  }
  const nested = nestedWork(client, nesting, admit)
  const own: Record<PropertyKey, unknown> = { ...APART, ...nested, notify }
  const sql = new Proxy(client, {
    apply(target, _self, values: unknown[]) {
      admit()
      return inTurn(Reflect.apply(target, undefined, values))
    },
    get(target, key) {
      if (Object.hasOwn(own, key)) return own[key]
      if (NOT_HERE.has(key)) return undefined
      const value: unknown = Reflect.get(target, key)
      if (key !== 'unsafe' && key !== 'file') return value
      return (...values: unknown[]) => {
        admit()
        const made = (value as (...values: unknown[]) => unknown)(...values)
        // A file is read first: other statements of the client overtake it, as those of another client may.
        return inTurn(made, key === 'file' ? made : client)
      }
    },
  })
  return sql as unknown as TransactionSql
}

/** The methods of a handle that are not its client's. */
function nestedWork(
  client: Sql,
  nesting: Nesting,
  admit: () => void,
): Record<PropertyKey, unknown> {
  const savepoint = (first: string | Work, second?: Work): Promise<unknown> => {
    refuseWhileBuilding()
    admit()
    const [name, work] = typeof first === 'function' ? ['', first] : [first, second]
    if (name.includes('\0')) throw savepointName()
    return nesting.enter(client, (inner) => runSavepoint(client, inner, name, work))
  }
  const begin = async (first: string | Work, second?: Work): Promise<unknown> => {
    if (typeof first === 'string' && first.trim()) throw savepointOptions()
    return savepoint(typeof first === 'function' ? first : (second as Work))
  }
  const prepare = (): never => {
    throw sessionRequired('A prepared transaction')
  }
  return { begin, savepoint, prepare }
}

async function runSavepoint(
  client: Sql,
  nesting: Nesting,
  name: string,
  work: Work | undefined,
): Promise<unknown> {
  const savepoint = ownSavepoint(nesting.count(), name)
  const undo = async (): Promise<unknown> => client.unsafe(`rollback to ${savepoint}`)
  const closes = nesting.opens(client, undo)
  // Nobody waits for that; what comes next comes behind it.
  const ended = (): void => {
    closes()
    const released = client.unsafe(`release ${savepoint}`).catch(() => undefined)
    nesting.released(client, released)
  }
  try {
    await client.unsafe(`savepoint ${savepoint}`)
    const run = async (): Promise<unknown> => work?.(transactionHandle(client, nesting))
    return await runToEnd(nesting, { undo, ended }, run)
  } finally {
    closes()
  }
}

async function runToEnd(
  nesting: Nesting,
  { undo, ended }: { undo: () => Promise<unknown>; ended: () => void },
  work: () => Promise<unknown>,
): Promise<unknown> {
  try {
    const result = await settledResult(work())
    await nesting.end()
    if (nesting.over) throw transactionOver()
    if (nesting.isFailed) throw savepointRolledBack()
    // From here on nothing may undo what is about to be told.
    ended()
    return result
  } catch (error) {
    // What is still under way in it must not come behind its end.
    await nesting.end().catch(() => undefined)
    // A connection that has gone has rolled back more than this; the error tells.
    if (!nesting.over) await undo().catch(() => undefined)
    if (!nesting.over) ended()
    throw error
  }
}

/** What postgres.js takes from `begin` too: statements that nobody has awaited yet. */
export async function settledResult<T>(work: Promise<T>): Promise<T> {
  const result = await work
  // The rows of a result are a list too, and more than that.
  const isList = Array.isArray(result) && result.some(isAwaitable)
  return isList ? ((await Promise.all(result)) as T) : result
}

function isAwaitable(value: unknown): boolean {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}
