import { refuseWhileBuilding } from './building-statements.ts'
/**
 * Drizzle ORM, unmodified, on the connection of a request.
 *
 * @module
 *
 * @example
 * ```ts
 * import { drizzle } from 'drizzle-orm/postgres-js'
 * import { drizzleClient } from 'nullpool/drizzle'
 *
 * app.get('/books', async (c) => {
 *   const db = drizzle(drizzleClient(c.var.db), { schema })
 *   return c.json(await db.query.books.findMany({ with: { author: true } }))
 * })
 * ```
 */
import type { Sql } from './drivers/driver.ts'
import {
  drizzleSavepoint,
  drizzleTransaction,
  readModes,
  type Unsafe,
  type Work,
  withOwn,
} from './drizzle-transaction.ts'
import { NullpoolError } from './errors.ts'
import { lazySql } from './lazy-sql.ts'
import type { ClientTypes } from './request-clients.ts'
import { partsOf } from './request-scope.ts'
import type { Scope } from './scope.ts'
import { savepointOptions } from './scope-refusals.ts'
import { enclosingTransaction, runTransaction } from './transaction.ts'

/** With these words Drizzle's migrator begins, whatever its table is called. */
const MIGRATES =
  /^\s*create\s+(schema\s+if\s+not\s+exists\s+"drizzle"|table\s+if\s+not\s+exists\s+\S+\s*\(\s*id\s+serial\s+primary\s+key,\s*hash\s+text\s+not\s+null,\s*created_at\s+bigint)/i

/**
 * A client for `drizzle()` of `drizzle-orm/postgres-js`, on the connection of `scope`, with parsers and
 * serializers of its own: Drizzle changes those of the client that it is given, and `scope.sql` keeps its types.
 *
 * It connects with the first query. Transactions are those of `Scope.transaction`: `BEGIN` and the modes
 * travel with the first statement, the handle is dead after the end, a lost connection says what became
 * of it. Inside of a transaction of the scope, or in a request that is one, they are savepoints, which take
 * no modes (`ERR_OPTIONS`). On a scope of `as(claims)` everything runs under the claims.
 *
 * @throws {NullpoolError} `ERR_OPTIONS` for anything but a scope. From a migration behind a
 *   transaction-mode pooler, `ERR_SESSION_STATE`; with `guard: 'warn'` it runs, with a warning.
 *
 * @see https://orm.drizzle.team/docs/get-started-postgresql
 */
export function drizzleClient(scope: Scope): Sql {
  const { connection, identity, open: whole } = partsOf(scope, 'drizzleClient()')
  const types: ClientTypes = { parsers: {}, serializers: {} }
  const create = (): Sql => connection.clients.create({ identity, types })
  const client = whole?.handle(types) ?? lazySql(create, () => connection.admit())
  const run = async (first: Work | string, second?: Work): Promise<unknown> => {
    const [text, work] = typeof first === 'function' ? ['', first] : [first, second]
    const modes = readModes(text)
    const isNested = whole !== undefined || enclosingTransaction(connection, identity) !== undefined
    if (isNested && modes) throw savepointOptions()
    const place = { connection, identity, whole, types }
    if (typeof work !== 'function') return runTransaction(place, {}, work)
    return runTransaction(place, {}, async (sql) => {
      if (modes) await sql.unsafe(`set transaction${modes}`)
      return work(isNested ? drizzleSavepoint(sql) : drizzleTransaction(sql))
    })
  }
  const begin = (first: Work | string, second?: Work): Promise<unknown> => {
    refuseWhileBuilding()
    return run(first, second)
  }
  const unsafe: Unsafe = (text, ...rest) => {
    const { guard } = connection.clients
    if (guard !== 'off' && MIGRATES.test(text)) {
      if (guard === 'throw') return Promise.reject(migrates())
      connection.clients.warn(migrates())
    }
    return (client.unsafe as Unsafe)(text, ...rest)
  }
  return withOwn(client as Sql, { options: types, begin, unsafe })
}

function migrates(): NullpoolError {
  return new NullpoolError(
    'ERR_SESSION_STATE',
    'Migrations need a session, and a transaction-mode pooler has none.',
    {
      hint: 'Run them before the deployment, with a direct or session-mode URL (port 5432): npx drizzle-kit migrate.',
    },
  )
}
