/**
 * Hono middleware: `c.var.sql` and `c.var.db` for one request.
 *
 * @module
 *
 * @example
 * ```ts
 * import { Hono } from 'hono'
 * import { nullpool, type NullpoolVariables } from 'nullpool/hono'
 *
 * const app = new Hono<{ Variables: NullpoolVariables }>()
 * app.use(nullpool())
 * app.get('/books', async (c) => c.json(await c.var.sql`select * from books`))
 *
 * export default app
 * ```
 */
import type { Context, MiddlewareHandler } from 'hono'
import type { Sql } from './drivers/driver.ts'
import { HonoBodies } from './hono-bodies.ts'
import { type NullpoolOptions, readMiddlewareOptions } from './hono-options.ts'
import { openRequest, type Request } from './hono-request.ts'
import { RequestConnection } from './request-connection.ts'
import { type BodyOrigin, finishResponse } from './response.ts'
import type { Scope, ScopeContext } from './scope.ts'

export type { NullpoolOptions, RequestTransactionOptions } from './hono-options.ts'

/** What {@link nullpool} adds to the context. */
export interface NullpoolVariables {
  /** postgres.js on the connection of this request; the first statement connects. */
  sql: Sql
  /** The scope of this request: `hold`, `close`, `metrics`. */
  db: Scope
}

/**
 * Gives each request a connection of its own, opened by its first query and closed behind its response.
 *
 * A response that is complete is passed on untouched and is never delayed. A stream keeps the
 * connection until its body ends, fails or is cancelled. When the handler throws, when another
 * middleware gives up on it, and when the client disconnects, the connection is closed and an open
 * transaction is rolled back. A route that does not query opens nothing.
 *
 * The end of a `Response` made without the context's methods (`new Response(stream)`) cannot always be
 * seen: use `c.body(stream)`, Hono's streaming helpers, or `c.var.db.hold(promise)`.
 *
 * @throws {NullpoolError} `ERR_OPTIONS` at once for options that do not fit; everything else where the
 *   first query is made.
 */
export function nullpool(
  options: NullpoolOptions = {},
): MiddlewareHandler<{ Variables: NullpoolVariables }> {
  const settings = readMiddlewareOptions(options)
  return async function nullpool(c, next) {
    const connection = new RequestConnection(settings.database, scopeContext(c))
    const bodies = new HonoBodies(c)
    closeOnError(c, connection)
    let request: Request
    let origin: BodyOrigin
    try {
      request = await openRequest(c, connection, settings)
      c.set('sql', request.scope.sql)
      c.set('db', request.scope)
      // A middleware around this one is the same request, and may still write what it has seen.
      await connection.run(() => request.run(next), false)
      origin = await request.end(bodies)
    } catch (error) {
      void connection.close()
      throw error
    }
    if (c.error) return void connection.close()
    if (settings.serverTiming) addServerTiming(c.res, request.scope)
    const response = c.res
    if (c.req.raw.method === 'HEAD') return finishHead(response, connection, origin)
    const followed = finishResponse(connection, response, origin)
    if (followed === response) return
    // Hono merges the headers of a response that is replaced; these are the same headers.
    c.res = undefined
    c.res = followed
  }
}

function scopeContext(c: Context): ScopeContext {
  const { signal } = c.req.raw
  const waitUntil = waitUntilOf(c)
  return { env: c.env, ...(signal ? { signal } : {}), ...(waitUntil ? { waitUntil } : {}) }
}

/** In place, because a response that is replaced loses its Content-Length. */
function addServerTiming({ headers }: Response, { metrics }: Scope): void {
  const { queries, queryMs, connectMs, roundTrips } = metrics
  if (queries === 0) return
  const value = `db;dur=${queryMs}, connect;dur=${connectMs}, trips;desc="${roundTrips}"`
  try {
    headers.append('Server-Timing', value)
  } catch {
    // The headers of a response that was fetched cannot be changed.
  }
}

/** `c.executionCtx` throws where there is none. */
function waitUntilOf(c: Context): ScopeContext['waitUntil'] {
  try {
    const context = c.executionCtx
    return (promise) => context.waitUntil(promise)
  } catch {
    return undefined
  }
}

/** Hono sends no body of a HEAD request and leaves the stream alone: nobody would end it. */
function finishHead(response: Response, connection: RequestConnection, origin: BodyOrigin): void {
  if (origin === 'value') return connection.finish()
  response.body?.cancel().catch(() => undefined)
  void connection.abort()
}

/**
 * Closes the connection when a handler has failed, also when a middleware around this one gave up on it: Hono
 * sets `c.error` then and tells nobody.
 */
function closeOnError(c: Context, connection: RequestConnection): void {
  const before = Object.getOwnPropertyDescriptor(c, 'error')
  let failure: Error | undefined
  Object.defineProperty(c, 'error', {
    configurable: true,
    get: () => failure,
    set(error: Error | undefined) {
      failure = error
      before?.set?.call(c, error)
      if (error) void connection.close()
    },
  })
}
