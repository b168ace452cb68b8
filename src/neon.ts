/**
 * Neon's driver, unmodified, on the connection of a request, to any Postgres.
 *
 * @module
 *
 * @example
 * ```ts
 * import { drizzle } from 'drizzle-orm/neon-serverless'
 * import { neonPool } from 'nullpool/neon'
 *
 * app.get('/books', async (c) => {
 *   const db = drizzle(neonPool(c.var.db), { schema })
 *   return c.json(await db.query.books.findMany({ with: { author: true } }))
 * })
 * ```
 */
import {
  type Client,
  type CustomTypesConfig,
  NeonClient,
  type Pool,
} from './drivers/neon-client.ts'
import { NeonPool } from './drivers/neon-pool.ts'
import { NeonSession } from './neon-session.ts'
import { partsOf } from './request-scope.ts'
import type { Scope } from './scope.ts'

/** What of the options of Neon's driver makes sense here. */
export interface NeonOptions {
  /** Parsers of values, as pg documents them. @default the driver's `types` */
  types?: CustomTypesConfig
}

/**
 * A `Client` of `@neondatabase/serverless` on the connection of `scope`, instead of a WebSocket of its
 * own. It connects with its first statement, or with `connect()`; both are free: TCP, TLS and the login
 * are the scope's, over whatever transport that has. `neonConfig` is neither read nor changed.
 *
 * A statement takes one round trip, with values too; `BEGIN` travels with the statement behind it. The
 * client sends one statement after another, as pg does. `end()` leaves the scope open, and rolls back what
 * this client has left open. On a scope of `as(claims)` everything runs under the claims; in a request that
 * is a transaction, the client's own transactions are savepoints.
 *
 * What fails in the connection rejects every statement once, with the same {@link NullpoolError} as
 * `scope.sql`; the client emits no `error`. `ROLLBACK` on a connection that was lost resolves. `client.host`,
 * `user` and `database` say nothing of the server.
 *
 * @throws {NullpoolError} `ERR_OPTIONS` for anything but a scope. From statements: `ERR_PREPARED_STATEMENT`
 *   for one with a `name`, `ERR_SESSION_STATE` for `LISTEN` and whatever else needs a session,
 *   `ERR_SCOPE_CLOSED`, `ERR_SCOPE_FOREIGN`; from `COMMIT`, `ERR_TRANSACTION_ROLLED_BACK` behind a failed
 *   statement.
 *
 * @see https://node-postgres.com/apis/client
 *
 * @example
 * ```ts
 * const client = neonClient(c.var.db)
 * const { rows } = await client.query('select * from books where author = $1', [author])
 * ```
 */
export function neonClient(scope: Scope, options: NeonOptions = {}): Client {
  return new NeonClient(new NeonSession(partsOf(scope, 'neonClient()')), options)
}

/**
 * A `Pool` of `@neondatabase/serverless` whose clients all speak on the one connection of `scope`, as
 * {@link neonClient} describes it. It is no pool of connections: it has as many clients as are asked for at
 * once, statements of different clients take turns, and while a client is in a transaction, the others wait
 * for its end, `queryTimeoutMs` at the most.
 *
 * A client that is released inside of a transaction is rolled back. `end()` leaves the scope open, and is
 * not needed.
 *
 * @throws {NullpoolError} `ERR_OPTIONS` for anything but a scope. From statements: as {@link neonClient}.
 *
 * @see https://node-postgres.com/apis/pool
 *
 * @example
 * ```ts
 * import { drizzle } from 'drizzle-orm/neon-serverless'
 *
 * const db = drizzle(neonPool(c.var.db), { schema })
 * await db.transaction(async (tx) => tx.insert(books).values({ title }))
 * ```
 */
export function neonPool(scope: Scope, options: NeonOptions = {}): Pool {
  const parts = partsOf(scope, 'neonPool()')
  return new NeonPool(() => new NeonSession(parts), options)
}
