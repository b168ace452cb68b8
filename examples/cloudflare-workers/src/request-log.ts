import { createMiddleware } from 'hono/factory'
import type { NullpoolVariables } from 'nullpool/hono'

/** One line a request: what it answered, how long it took and what it asked of the database. */
export const requestLog = createMiddleware<{ Variables: NullpoolVariables }>(
  async function requestLog(c, next) {
    const startedAt = Date.now()
    await next()
    const { queries, roundTrips } = c.var.db.metrics
    const { method, path } = c.req
    console.log(
      `${method} ${path} ${c.res.status} ${Date.now() - startedAt} ms, ` +
        `${count(queries, 'query', 'queries')}, ${count(roundTrips, 'round trip', 'round trips')}`,
    )
  },
)

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`
}
