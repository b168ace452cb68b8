/**
 * Kysely, unmodified, on the connection of a request.
 *
 * @module
 *
 * @example
 * ```ts
 * import { Kysely, PostgresDialect } from 'kysely'
 * import { kyselyPool } from 'nullpool/kysely'
 *
 * app.get('/books', async (c) => {
 *   const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool: kyselyPool(c.var.db) }) })
 *   return c.json(await db.selectFrom('books').selectAll().execute())
 * })
 * ```
 */
import type { PostgresClient, PostgresClientConstructor, PostgresPool } from 'kysely'
import type { Sql } from './drivers/driver.ts'
import { KyselyConnection } from './kysely-connection.ts'
import { KyselyCursor } from './kysely-cursor.ts'
import { kyselyTypes } from './kysely-values.ts'
import { lazySql } from './lazy-sql.ts'
import { partsOf } from './request-scope.ts'
import type { Scope } from './scope.ts'

/** For `stream()`: `new PostgresDialect({ pool: kyselyPool(scope), cursor: kyselyCursor })`. */
export const kyselyCursor: typeof KyselyCursor = KyselyCursor

/**
 * A pool for Kysely's own `PostgresDialect`, on the connection of `scope`. It connects with the first
 * query, takes no round trip more than `scope.sql`, and `destroy()` leaves the scope open.
 *
 * Transactions are those of `Scope.transaction`: `BEGIN` travels with the first statement, `ROLLBACK` is
 * waited for by nobody and cancels what still runs, a lost connection says what became of it. While one is
 * open, other queries of the request wait, as behind any transaction. Inside of a transaction of the scope,
 * or in a request that is one, they are savepoints, one after another; those take no modes (`ERR_OPTIONS`).
 * Whatever still comes once one ends is refused with `ERR_TRANSACTION_OVER`.
 * On a scope of `as(claims)` everything runs under the claims.
 *
 * Values are written as `pg` writes them and read as it reads them, but for `interval`, `point` and `circle`,
 * which stay texts, and arrays, of which all are read and those of `numeric` keep their digits. Errors of the
 * server have the names of `pg` beside those of postgres.js.
 *
 * @throws {NullpoolError} `ERR_OPTIONS` for anything but a scope. From Kysely's `Migrator` behind a
 *   transaction-mode pooler, `ERR_SESSION_STATE`: it takes a lock of the session.
 *
 * @see https://kysely-org.github.io/kysely-apidoc/interfaces/PostgresDialectConfig.html
 */
export function kyselyPool(scope: Scope): PostgresPool {
  const parts = partsOf(scope, 'kyselyPool()')
  const { connection: own, identity, open } = parts
  const createSql = (): Sql => own.clients.create({ identity, types: kyselyTypes })
  const sql = open?.handle(kyselyTypes) ?? lazySql(createSql, () => own.admit())
  const connections = new Map<number, KyselyConnection>()
  const idle: KyselyConnection[] = []
  let count = 0
  const release = (connection: KyselyConnection, mayServe: boolean): void => {
    if (mayServe) idle.push(connection)
    else connections.delete(connection.processID)
  }
  const create = (): KyselyConnection => {
    count += 1
    const connection = new KyselyConnection(count, parts, sql, release)
    connections.set(count, connection)
    return connection
  }
  return {
    connect: async () => idle.pop() ?? create(),
    end: async () => undefined,
    options: {},
    Client: cancellingClient(connections),
  }
}

/** What Kysely connects with to cancel a query: it finds the query here. */
function cancellingClient(connections: Map<number, KyselyConnection>): PostgresClientConstructor {
  return class CancellingClient implements PostgresClient {
    connect(): Promise<PostgresClient> {
      return Promise.resolve(this)
    }

    query(text: unknown): never {
      const [, id] = /pg_(?:cancel|terminate)_backend\((\d+)\)/.exec(String(text)) ?? []
      connections.get(Number(id))?.cancel()
      return Promise.resolve({ command: 'SELECT', rowCount: 0, rows: [] }) as never
    }

    end(): void {}
  }
}
