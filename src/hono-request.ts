import type { Context } from 'hono'
import type { Claims } from './claims.ts'
import type { HonoBodies } from './hono-bodies.ts'
import type { MiddlewareSettings } from './hono-options.ts'
import { OpenTransaction } from './open-transaction.ts'
import type { RequestConnection } from './request-connection.ts'
import { RequestScope } from './request-scope.ts'
import type { BodyOrigin } from './response.ts'
import { noResponse } from './scope-refusals.ts'
import { runInside } from './transaction.ts'
import { wholeResponse } from './whole-response.ts'

/** What `Response.error()` has: nobody can send it. */
const STATUS_OF_ERROR = 0

/** What one request of Hono's gets, and how it ends. */
export interface Request {
  scope: RequestScope
  /** Runs the handlers. */
  run<T>(next: () => Promise<T>): Promise<T>
  /** The handlers have returned or failed, and the response has not left; what its body is then. */
  end(bodies: HonoBodies): Promise<BodyOrigin>
}

/** Finds out for whom the request is, and whether it is a transaction. */
export async function openRequest(
  c: Context,
  connection: RequestConnection,
  { claims, transaction }: MiddlewareSettings,
): Promise<Request> {
  const identity = claims && connection.identify((await claims(c)) as Claims | null | undefined, {})
  if (!transaction) {
    const scope = new RequestScope(connection, identity)
    return { scope, run: (next) => next(), end: async (bodies) => bodies.likely(c.res) }
  }
  const open = new OpenTransaction(connection, identity, transaction.beginning)
  const inside = <T>(work: () => Promise<T>): Promise<T> =>
    connection.run(() => runInside(open, work))
  return {
    scope: new RequestScope(connection, identity, open),
    async run(next) {
      try {
        return await inside(next)
      } catch (error) {
        open.rollBack()
        throw open.explain(error)
      }
    },
    async end(bodies) {
      if (!c.error && !hasResponse(c)) {
        open.rollBack()
        // Hono says so by itself.
        if (!open.used) return bodies.likely(c.res)
        // Hono would merge the headers of what is none.
        if (c.finalized) c.res = undefined
        throw noResponse()
      }
      const isFailure = c.error || c.res.status === STATUS_OF_ERROR
      const fails = isFailure || (await inside(async () => transaction.rollbackWhen(c)))
      if (!fails && open.used) return inside(() => commitWith(c, bodies, open, connection))
      if (fails) open.rollBack()
      else await open.commit()
      return bodies.likely(c.res)
    },
  }
}

/** Asks only what every runtime's responses and those of adapters have. */
function hasResponse(c: Context): boolean {
  if (!c.finalized) return false
  const { status, headers } = c.res as Partial<Response>
  return typeof status === 'number' && typeof headers?.get === 'function'
}

/** Commits behind the last statement that there can be, one of the body's too. */
async function commitWith(
  c: Context,
  bodies: HonoBodies,
  open: OpenTransaction,
  { queryTimeoutMs }: RequestConnection,
): Promise<BodyOrigin> {
  const response = c.res
  const origin = response.body ? bodies.known(response) : 'value'
  try {
    if (origin !== 'value') {
      const whole = await wholeResponse(response, origin, queryTimeoutMs, open.failed)
      // Hono merges the headers of a response that is replaced; these are the same headers.
      c.res = undefined
      c.res = whole
    }
  } catch (error) {
    open.rollBack()
    throw error
  }
  await open.commit()
  return 'value'
}
