/**
 * A pool for servers that stay, such as Node and Bun: connections that are kept, on the direct or
 * session-mode URL (port 5432).
 *
 * @module
 *
 * @example
 * ```ts
 * import { createPool } from 'nullpool/stationary'
 *
 * const pool = createPool({ poolSize: 5, maxOverflow: 10 })
 * const books = await pool.sql`select * from books`
 * await pool.close()
 * ```
 */
import { runtime } from '#runtime'
import type { Cancellable } from './abortable.ts'
import type { BatchResults } from './batch.ts'
import type { Claims } from './claims.ts'
import { type Database, databaseOf } from './database.ts'
import type { Sql, TransactionSql } from './drivers/driver.ts'
import { type AttachablePool, attachableOf } from './pool/attachable.ts'
import { PoolCore, type PoolStats } from './pool/pool-core.ts'
import { runtimeKeepsNothing } from './pool/pool-failures.ts'
import { type PoolOptions, readPoolOptions } from './pool/pool-options.ts'
import { PoolQueries } from './pool/pool-queries.ts'
import type { Scope, ScopeContext } from './scope.ts'
import type { TransactionOptions } from './transaction-options.ts'

export type { AttachablePool } from './pool/attachable.ts'
export type { PoolStats } from './pool/pool-core.ts'
export type { PoolOptions } from './pool/pool-options.ts'

/** What runs statements on whatever connection of a pool is free. */
export interface PoolScope {
  /**
   * postgres.js, as its README describes it. A query has a connection from its first byte to its last
   * answer, a cursor and a COPY as long as they last, `sql.begin` from its first statement to its end,
   * `sql.reserve` until it is released. Whoever comes first is served first.
   *
   * `listen` and `subscribe` reject with `ERR_SESSION_STATE`.
   */
  readonly sql: Sql
  /**
   * As `transaction` of a request's scope: committed when `work` resolves, rolled back when it rejects, in
   * n + 1 round trips, with retries and an outcome. It takes a connection with its first statement.
   * Inside, use the `sql` that `work` is given: `pool.sql` is another connection.
   */
  transaction<T>(work: (sql: TransactionSql) => Promise<T>): Promise<T>
  transaction<T>(options: TransactionOptions, work: (sql: TransactionSql) => Promise<T>): Promise<T>
  /** As `batch` of a request's scope: several statements in one round trip, all or nothing. */
  batch<const T extends readonly PromiseLike<unknown>[]>(
    work: (sql: Sql) => T,
  ): Promise<BatchResults<T>>
  /**
   * As `as` of a request's scope: everything runs as the role and with the claims of a token that **has been
   * verified**. The settings last as long as their transaction: no connection remembers them.
   */
  as(claims: Claims | null | undefined, settings?: Readonly<Record<string, string>>): PoolScope
  /** As `abortable` of a request's scope: one query that can be stopped. */
  abortable<T>(query: Cancellable<T>, signal: AbortSignal): Promise<T>
}

/** Connections that are kept, and lent out one use at a time. */
export interface Pool extends PoolScope, Database, AsyncDisposable {
  /**
   * A scope for a request, as of `createDatabase`: everything of it runs on one connection, which it has from
   * its first statement to its end. For adapters that take a scope (`drizzleClient`, `kyselyPool`), and for
   * handlers that are to run elsewhere too. Close it, or use {@link Pool.run}.
   */
  scope(context?: ScopeContext): Scope
  /** As `run` of `createDatabase`, with such a scope. */
  run<T>(context: ScopeContext, work: (scope: Scope) => Promise<T>): Promise<T>
  /**
   * For `attachDatabasePool` of `@vercel/functions`, which keeps an instance of Vercel Fluid alive until its
   * idle connections have closed: `attachDatabasePool(pool.attachable())`.
   *
   * @throws {NullpoolError} `ERR_OPTIONS` without `idleTimeoutMs`.
   *
   * @see https://vercel.com/docs/functions/functions-api-reference/vercel-functions-package#database-connection-pool-management
   */
  attachable(): AttachablePool
  /** How the connections are used at the moment: a snapshot. */
  readonly stats: PoolStats
  /**
   * Ends the pool: new work is refused with `ERR_POOL_CLOSED`, what is under way or waits comes to its end
   * within `drainTimeoutMs`, and is cancelled and rolled back then. Idempotent, never rejects, takes
   * `drainTimeoutMs` and twice `closeTimeoutMs` at the most. Afterwards no socket and no timer is left.
   *
   * Until then open connections keep the process alive.
   */
  close(): Promise<void>
}

/**
 * Makes a pool. It opens nothing: the first statement connects.
 *
 * Never more than `poolSize + maxOverflow` connections are open. A statement that was sent is never sent
 * again; one that was not is, where its connection turns out to be gone. The names are SQLAlchemy's.
 *
 * @throws {NullpoolError} `ERR_RUNTIME_UNSUPPORTED` on a runtime that keeps no connection from one request to
 *   the next (Cloudflare Workers, Vercel Edge, Supabase Edge Functions). `ERR_OPTIONS`.
 *
 * @see https://docs.sqlalchemy.org/en/20/core/pooling.html
 *
 * @example
 * ```ts
 * const pool = createPool({ url: 'postgres://library:secret@localhost:5432/library', pooler: 'postgres' })
 * const [book] = await pool.sql`select title from books where id = ${id}`
 * await pool.transaction(async (sql) => {
 *   await sql`update accounts set balance = balance - ${amount} where id = ${from}`
 *   await sql`update accounts set balance = balance + ${amount} where id = ${to}`
 * })
 * process.once('SIGTERM', () => pool.close())
 * ```
 */
export function createPool(options: PoolOptions = {}): Pool {
  if (!runtime.keepsConnections?.()) throw runtimeKeepsNothing(runtime.name)
  return new StationaryPool(new PoolCore(readPoolOptions(options)))
}

class StationaryPool extends PoolQueries implements Pool {
  #core: PoolCore
  #requests: Database

  constructor(core: PoolCore) {
    super(core, () => core.close())
    this.#core = core
    this.#requests = databaseOf((context) => core.lend(context))
  }

  get stats(): PoolStats {
    return this.#core.stats
  }

  scope(context?: ScopeContext): Scope {
    return this.#requests.scope(context)
  }

  run<T>(context: ScopeContext, work: (scope: Scope) => Promise<T>): Promise<T> {
    return this.#requests.run(context, work)
  }

  attachable(): AttachablePool {
    return attachableOf(this.#core)
  }

  close(): Promise<void> {
    return this.#core.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
