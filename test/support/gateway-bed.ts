import { once } from 'node:events'
import {
  type ServerType,
  serve,
  upgradeWebSocket,
  type WebSocketServerLike,
} from '@hono/node-server'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import {
  createGateway,
  type GatewayEvent,
  type GatewayOptions,
  onlyWebSockets,
} from 'nullpool/gateway'
import { WebSocketServer } from 'ws'
import { bundleWorker } from './worker-bundle.ts'

/** The token of every gateway here. */
export const TOKEN = 'a-token-of-more-than-32-characters-0123456789'

/** What both runtimes can be given. */
export type BedOptions = Omit<Partial<GatewayOptions>, 'upgradeWebSocket' | 'onEvent' | 'transport'>

/** A gateway behind a real port. */
export interface RunningGateway extends AsyncDisposable {
  readonly runtime: 'node' | 'workerd'
  /** `host:port` of the gateway itself. */
  readonly host: string
  /** What it has told; nothing in workerd. */
  readonly events: GatewayEvent[]
}

/** Starts one on this process's Node, where the way to the server can be another one too. */
export async function startNodeGateway(
  options: BedOptions & Pick<GatewayOptions, 'transport'>,
): Promise<RunningGateway> {
  const events: GatewayEvent[] = []
  const gateway = createGateway({
    token: TOKEN,
    targets: [],
    ...options,
    upgradeWebSocket,
    onEvent: (event) => void events.push(event),
  })
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has('nullpool') ? 'nullpool' : false),
  })
  const server: ServerType = onlyWebSockets(
    serve({
      fetch: gateway.fetch,
      hostname: '127.0.0.1',
      port: 0,
      websocket: { server: sockets as WebSocketServerLike },
    }),
  )
  if (!server.listening) await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('It does not listen.')
  return {
    runtime: 'node',
    host: `127.0.0.1:${address.port}`,
    events,
    async [Symbol.asyncDispose]() {
      const goodbyes = [...sockets.clients].map((socket) => {
        socket.close(1001)
        return once(socket, 'close')
      })
      await Promise.all(goodbyes)
      const closed = once(server, 'close')
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await closed
    },
  }
}

let script: Promise<string> | undefined

/** Starts one in workerd, bundled as Wrangler does. */
export async function startWorkerdGateway(options: BedOptions): Promise<RunningGateway> {
  script ??= bundleWorker('test/support/gateway-worker.ts')
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: await script,
      compatibilityDate: '2026-08-04',
      compatibilityFlags: ['enable_request_signal'],
      bindings: { OPTIONS: JSON.stringify({ token: TOKEN, targets: [], ...options }) },
      unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    }),
  )
  await miniflare.ready
  const { host } = await miniflare.unsafeGetDirectURL()
  return {
    runtime: 'workerd',
    host,
    events: [],
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  }
}

/** Both runtimes, for `describe.each`. */
export const RUNTIMES = [
  ['Node', startNodeGateway],
  ['workerd', startWorkerdGateway],
] as const
