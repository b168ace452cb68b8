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
    c.res = new Response(afterwards(c.res.body, log), c.res)
  },
)

/** Passes a body on and calls back once, whether it ends, fails or is left. */
function afterwards(body: ReadableStream<Uint8Array>, callback: () => void): ReadableStream {
  const reader = body.getReader()
  let called = false
  const end = (): void => {
    if (!called) callback()
    called = true
  }
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read()
        if (!done) return controller.enqueue(value)
        controller.close()
      } catch (error) {
        controller.error(error)
      }
      end()
    },
    async cancel(reason) {
      end()
      await reader.cancel(reason)
    },
  })
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`
}
