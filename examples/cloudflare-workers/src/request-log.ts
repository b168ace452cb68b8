import { createMiddleware } from 'hono/factory'
import type { NullpoolVariables } from 'nullpool/hono'

/** One line a request: what it answered, how long it took and what it asked of the database. */
export const requestLog = createMiddleware<{ Variables: NullpoolVariables }>(
  async function requestLog(c, next) {
    const startedAt = Date.now()
    const log = (): void => {
      const { queries, roundTrips } = c.var.db.metrics
      const { method, path } = c.req
      console.log(
        `${method} ${path} ${c.res.status} ${Date.now() - startedAt} ms, ` +
          `${count(queries, 'query', 'queries')}, ${count(roundTrips, 'round trip', 'round trips')}`,
      )
    }
    await next()
    if (!c.res.body || !c.res.headers.get('content-type')?.includes('ndjson')) return log()
    // A stream has only begun to query when the handler returns.
    const logged = new TransformStream({ flush: log })
    c.res = new Response(c.res.body.pipeThrough(logged), c.res)
  },
)

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`
}
