import { Hono } from 'hono'
import { ConnectionLimit } from './connection-limit.ts'
import { adviceOf, asFailure } from './failures.ts'
import { type GatewayOptions, resolveGatewayOptions } from './options.ts'
import { SqlEndpoint } from './sql-endpoint.ts'
import { TunnelEndpoint } from './tunnel-endpoint.ts'
import { waitUntilOf } from './wait-until.ts'

const PATHS = ['/sql', '/v1', '/v2'] as const

/**
 * Makes the door to Postgres for runtimes that have `fetch` and `WebSocket` and no TCP. A Hono app of three
 * routes, which Neon's driver uses as it is:
 *
 * - `POST /sql`: what `neon()` sends, each request on a connection of its own.
 * - `GET /v2?address=host:port`: a WebSocket for `Pool` and `Client`; the gateway speaks TLS to the server.
 * - `GET /v1?address=host:port`: the same with TLS left to the client, as Neon's wsproxy has it.
 *
 * In a tunnel to a transaction-mode pooler, what needs a session is refused by `guard` of the target.
 *
 * Nothing is open by itself: clients need `token`, and reach `targets` only. The limits hold for one process
 * or isolate. Put TLS in front of it; Workers have it.
 *
 * @throws {NullpoolError} `ERR_OPTIONS`.
 *
 * @see https://github.com/neondatabase/serverless
 *
 * @example A Worker
 * ```ts
 * import { env } from 'cloudflare:workers'
 * import { createGateway } from 'nullpool/gateway'
 *
 * export default createGateway({
 *   token: env.GATEWAY_TOKEN,
 *   targets: ['aws-0-eu-central-1.pooler.supabase.com:6543'],
 * })
 * ```
 */
export function createGateway(options: GatewayOptions): Hono {
  const settings = resolveGatewayOptions(options)
  const limit = new ConnectionLimit(settings.maxConnections)
  const app = new Hono()
  for (const path of ['/v1', '/v2'] as const) {
    const tunnels = new TunnelEndpoint(path, settings, limit)
    app.get(path, (c) => tunnels.answer(c))
  }
  const sql = new SqlEndpoint(settings, limit)
  const { emit } = settings
  app.post('/sql', async (c) => {
    const leave = await sql.admit(c)
    const answering = sql.answer(c)
    // Until its client has it, an answer is in the memory.
    const left = answering.then(({ left }) => left).then(leave, leave)
    waitUntilOf(c)?.(left)
    return (await answering).response
  })
  app.onError((error, c) => {
    const failure = asFailure(error)
    const path = PATHS.find((each) => c.req.path.endsWith(each))
    if (path) emit({ type: 'refused', path, code: failure.code, ...adviceOf(failure) })
    return sql.refuse(c, failure)
  })
  return app
}
