import { type DatabaseOptions, resolveOptions } from './options.ts'
import { RequestConnection } from './request-connection.ts'
import { RequestScope } from './request-scope.ts'
import { finishResponse } from './response.ts'
import type { Scope, ScopeContext } from './scope.ts'

/** Makes scopes. Holds no connection and no request, so it belongs at module scope. */
export interface Database {
  /**
   * Starts a scope and opens nothing; the caller closes it. Prefer {@link Database.run}, which also
   * keeps requests apart.
   */
  scope(context?: ScopeContext): Scope
  /**
   * Runs `work` with a scope of its own and closes it behind the result: after the last statement, the
   * last promise given to `hold`, and, where the result is a `Response` with a stream, after its body.
   *
   * @throws whatever `work` throws, unchanged; the scope is closed then, an open transaction rolled back.
   */
  run<T>(context: ScopeContext, work: (scope: Scope) => Promise<T>): Promise<T>
}

/**
 * Describes how requests reach their database. Pure: it checks the options, opens nothing, and is safe
 * at module scope of any runtime.
 *
 * @throws {NullpoolError} `ERR_OPTIONS` for an option that does not exist or does not fit.
 *
 * @example A Worker without a framework
 * ```ts
 * import { createDatabase } from 'nullpool'
 *
 * const database = createDatabase()
 *
 * export default {
 *   fetch(request: Request, env: unknown, context: ExecutionContext) {
 *     const { signal } = request
 *     const waitUntil = (promise: Promise<unknown>) => context.waitUntil(promise)
 *     return database.run({ env, signal, waitUntil }, async ({ sql }) => {
 *       return Response.json(await sql`select now()`)
 *     })
 *   },
 * }
 * ```
 */
export function createDatabase(options: DatabaseOptions = {}): Database {
  const settings = resolveOptions(options)
  return databaseOf((context) => new RequestConnection(settings, context))
}

/** Makes scopes on connections of any origin. */
export function databaseOf(connect: (context: ScopeContext) => RequestConnection): Database {
  return {
    scope: (context = {}) => new RequestScope(connect(context)),
    async run(context, work) {
      const connection = connect(context)
      const scope = new RequestScope(connection)
      try {
        const result = await connection.run(() => work(scope))
        if (result instanceof Response) return finishResponse(connection, result) as typeof result
        connection.finish()
        return result
      } catch (error) {
        void connection.close()
        throw error
      }
    },
  }
}
