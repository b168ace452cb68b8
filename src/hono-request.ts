import type { Context } from 'hono'
import type { Claims } from './claims.ts'
import { NullpoolError } from './errors.ts'
import type { MiddlewareSettings } from './hono-options.ts'
import { OpenTransaction } from './open-transaction.ts'
import type { RequestConnection } from './request-connection.ts'
import { RequestScope } from './request-scope.ts'
import { type BodyOrigin, classify } from './response.ts'
import { runInside } from './transaction.ts'

/** What one request of Hono's gets, and how it ends. */
export interface Request {
  scope: RequestScope
  /** Runs the handlers. */
  run<T>(next: () => Promise<T>): Promise<T>
  /** The handlers have returned or failed, and the response has not left. */
  end(origin: (response: Response) => BodyOrigin): Promise<void>
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
    return { scope, run: (next) => next(), end: async () => undefined }
  }
  const open = new OpenTransaction(connection, identity, transaction.beginning)
  return {
    scope: new RequestScope(connection, identity, open),
    async run(next) {
      try {
        return await runInside(open, next)
      } catch (error) {
        open.rollBack()
        throw open.explain(error)
      }
    },
    async end(origin) {
      if (c.error || transaction.rollbackWhen(c)) return open.rollBack()
      if (open.used && c.res.body && classify(c.res, origin(c.res)) === 'stream') {
        open.rollBack()
        throw streamed()
      }
      await open.commit()
    },
  }
}

function streamed(): NullpoolError {
  return new NullpoolError(
    'ERR_TRANSACTION_STREAM',
    'A request that is a transaction cannot stream its response: it was rolled back.',
    {
      outcome: 'rolled back',
      hint: 'Collect the rows first, or mount nullpool() without transaction on this route and use c.var.db.transaction().',
    },
  )
}
