import type { Cancellable } from './abortable.ts'
import type { BatchResults } from './batch.ts'
import type { Claims } from './claims.ts'
import type { Sql, TransactionSql } from './drivers/driver.ts'
import type { TransactionOptions } from './transaction-options.ts'

/** What the platform gives with a request. */
export interface ScopeContext {
  /** The bindings: `c.env`, the second argument of a Worker's handler. */
  env?: unknown
  /** Aborts when the client has gone; running statements are then cancelled. */
  signal?: AbortSignal
  /** Keeps the platform from ending the request while its connection closes. */
  waitUntil?: (promise: Promise<unknown>) => void
}

/** What a request's connection has cost so far. */
export interface ScopeMetrics {
  /** Connections opened: 0 without a query, 1 with any number. */
  readonly connects: number
  /** Times that somebody waited for the network: TCP and TLS handshakes, login and flights. */
  readonly roundTrips: number
  /** Statements sent. */
  readonly queries: number
  /** Bytes to the server, before TLS. */
  readonly bytesSent: number
  /** Bytes from the server, after TLS. */
  readonly bytesReceived: number
  /** Time until the first statement could leave, in milliseconds. */
  readonly connectMs: number
  /** Time from the first statement to its first row, or to its end without rows, in milliseconds. */
  readonly firstRowMs: number
  /** Time in which statements waited or ran, summed up, in milliseconds. */
  readonly queryMs: number
}

/** One request's use of the database. It opens at most one connection, at the first query. */
export interface Scope extends AsyncDisposable {
  /** postgres.js, as its README describes it. The first statement connects. */
  readonly sql: Sql
  /**
   * Runs `work` in a transaction: it is committed when `work` resolves and rolled back when `work` rejects,
   * when the client disconnects and when the connection is lost. `BEGIN` travels with the first statement,
   * so that n statements take n + 1 round trips, and none takes none.
   *
   * Inside, use the `sql` that `work` is given: the scope's own waits for the end. A `transaction()` inside
   * is a savepoint, and so is `sql.savepoint()`. Once `work` has settled, its `sql` throws
   * `ERR_TRANSACTION_OVER`.
   *
   * @throws whatever `work` rejects with, unchanged; the transaction was rolled back then.
   * @throws {NullpoolError} `ERR_TRANSACTION_ROLLED_BACK` where a statement had failed and `work` resolved
   *   all the same. Any code of a lost connection, with {@link NullpoolError.outcome outcome}, which tells
   *   whether the transaction was committed. `ERR_OPTIONS`.
   *
   * @example Money that is neither lost nor made
   * ```ts
   * await c.var.db.transaction({ isolation: 'serializable', retries: 3 }, async (sql) => {
   *   await sql`update accounts set balance = balance - ${amount} where id = ${from}`
   *   await sql`update accounts set balance = balance + ${amount} where id = ${to}`
   * })
   * ```
   */
  transaction<T>(work: (sql: TransactionSql) => Promise<T>): Promise<T>
  transaction<T>(options: TransactionOptions, work: (sql: TransactionSql) => Promise<T>): Promise<T>
  /**
   * Runs several statements in one round trip and one transaction: all of them take effect, or none.
   * `work` makes the statements and awaits none; their results come in the same order.
   *
   * What this isolate has not sent before is described first, for all statements together: one more trip,
   * once. A statement with values can therefore not use a table that another one of the batch makes.
   * No statement may be a COPY, begin or end a transaction, hold several, or be one that Postgres does not take
   * in a transaction, such as VACUUM. Inside of `transaction()` the statements are part of it.
   *
   * @throws the error of the statement that failed; nothing took effect then.
   * @throws {NullpoolError} Any code of a lost connection, with {@link NullpoolError.outcome outcome}.
   *   `ERR_OPTIONS` for what is no list of statements that nobody awaits.
   *
   * @example
   * ```ts
   * const [books, [total]] = await c.var.db.batch((sql) => [
   *   sql<Book[]>`select * from books where author = ${author} limit 10`,
   *   sql<{ n: number }[]>`select count(*)::int as n from books where author = ${author}`,
   * ])
   * ```
   */
  batch<const T extends readonly PromiseLike<unknown>[]>(
    work: (sql: Sql) => T,
  ): Promise<BatchResults<T>>
  /**
   * Keeps the scope open until `promise` settles, for work that goes on behind the response. It also
   * keeps the platform from ending the request, as far as the platform allows (30 s on Workers).
   */
  hold(promise: Promise<unknown>): void
  /**
   * The same request and connection, for somebody: every statement of the scope that is returned runs as
   * the role and with the claims of a token, in the same round trips. For row-level security:
   * `request.jwt.claims` holds the claims as JSON, `request.jwt.claim.sub`, `.role` and `.email` what
   * Supabase's functions read first, `role` one of the option `roles`. Without claims it is the option
   * `anonymousRole` (`anon`), never the connection's own role.
   *
   * **The token must have been verified**: this package does not look at signatures. Statements of `sql`
   * here, of the connection's own role, and statements there may be under way side by side; neither sees
   * the other's settings.
   *
   * @param claims - The verified payload of a token, such as `c.get('jwtPayload')`; nothing for a request
   *   without one.
   * @param settings - More settings of the server that each transaction is to have, such as
   *   `{ 'app.tenant': '42' }`.
   *
   * @throws {NullpoolError} `ERR_CLAIMS`, before anything is sent: a role that is not in the list, claims
   *   that are no plain object (a promise, a list, an instance of a class), longer than 65,536 characters or
   *   nested too deeply. From the first statement: a Hyperdrive binding that may cache. `ERR_OPTIONS` for
   *   settings that are no object of values by name, or belong to the claims.
   *
   * @see https://supabase.com/docs/guides/database/postgres/row-level-security
   */
  as(claims: Claims | null | undefined, settings?: Readonly<Record<string, string>>): Scope
  /**
   * Runs one query that can be stopped: `await db.abortable(sql`select …`, AbortSignal.timeout(500))`.
   * When the signal aborts, the server is asked to cancel the query, over a connection of its own; the
   * promise settles within `closeTimeoutMs` of that.
   *
   * A query of `sql` that nobody has awaited yet runs apart from all others, so that a cancel request that
   * comes late stops none of them; it may come to its turn before or behind those that are under way. One of a
   * transaction stays in it.
   *
   * A query that is done before it can be cancelled resolves. A cancelled one fails its transaction,
   * if it is in one, as any error does.
   *
   * @throws {NullpoolError} `ERR_ABORTED`. Its message says whether the query took effect: it did not
   *   where the server has confirmed the cancellation of one statement or was never asked to run it. It is not
   *   known of a `CALL`, a `DO` or several statements, which may have committed something before, and where the
   *   server does not react; then the scope closes.
   */
  abortable<T>(query: Cancellable<T>, signal: AbortSignal): Promise<T>
  /**
   * Closes the connection: statements that wait fail with `ERR_SCOPE_CLOSED`, an open transaction is
   * rolled back, the server is told. Idempotent, never rejects, takes `closeTimeoutMs` at the most.
   */
  close(): Promise<void>
  /** A snapshot of the counters. */
  readonly metrics: ScopeMetrics
}
