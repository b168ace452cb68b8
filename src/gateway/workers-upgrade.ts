import {
  createWSMessageEvent,
  defineWebSocketHelper,
  type UpgradeWebSocket,
  WSContext,
  type WSReadyState,
} from 'hono/ws'
import { NullpoolError } from '../errors.ts'
import { offeredSubprotocols, SUBPROTOCOL } from './bearer.ts'

/** One end of a pair of Workers. */
interface WorkersSocket extends EventTarget {
  accept(): void
  send(data: string | ArrayBuffer | ArrayBufferView): void
  close(status?: number, reason?: string): void
  readonly readyState: WSReadyState
  binaryType: string
}

/**
 * Hono's helper for WebSockets, on Workers. Hono's own agrees to no subprotocol, which browsers take for a
 * refusal, and takes messages as the compatibility date says, which may be as blobs.
 *
 * @see https://developers.cloudflare.com/workers/runtime-apis/websockets/
 */
export const workersUpgrade: UpgradeWebSocket = defineWebSocketHelper((c, events) => {
  const Pair: unknown = Reflect.get(globalThis, 'WebSocketPair')
  if (typeof Pair !== 'function') throw noHelper()
  const { 0: client, 1: server } = Reflect.construct(Pair, []) as [unknown, WorkersSocket]
  const agreed = offeredSubprotocols(c).includes(SUBPROTOCOL) ? SUBPROTOCOL : null
  const ws = new WSContext<WorkersSocket>({
    raw: server,
    url: c.req.url,
    protocol: agreed,
    get readyState() {
      return server.readyState
    },
    send: (data) => server.send(data),
    close: (status, reason) => server.close(status, reason),
  })
  server.binaryType = 'arraybuffer'
  server.addEventListener('message', (event) => {
    const { data } = event as MessageEvent<string | ArrayBuffer>
    events.onMessage?.(createWSMessageEvent(data), ws)
  })
  server.addEventListener('close', (event) => {
    // Whether the runtime answers a close itself depends on the compatibility date.
    if (server.readyState < 3) server.close(1000)
    events.onClose?.(event as CloseEvent, ws)
  })
  server.addEventListener('error', (event) => events.onError?.(event, ws))
  server.accept()
  events.onOpen?.(new Event('open'), ws)
  const headers: Record<string, string> = agreed ? { 'sec-websocket-protocol': agreed } : {}
  const init: ResponseInit & { webSocket: unknown } = { status: 101, webSocket: client, headers }
  return new Response(null, init)
})

function noHelper(): NullpoolError {
  return new NullpoolError('ERR_OPTIONS', 'The gateway has no WebSockets here.', {
    hint: 'Set its option upgradeWebSocket to the helper of this runtime: on Node that of @hono/node-server.',
  })
}
