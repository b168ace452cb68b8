/** What is taken of a server of `node:http`. */
export interface UpgradingServer {
  listeners(event: string): unknown[]
  removeAllListeners(event: string): unknown
  on(event: string, listener: (...upgrade: never[]) => void): unknown
}

/** What is taken of the arguments of its event `upgrade`. */
interface UpgradeRequest {
  headers: { upgrade?: string }
}

interface UpgradedSocket {
  on(event: 'error', listener: () => void): unknown
  once(event: 'close' | 'finish', listener: () => void): unknown
  resume(): unknown
  end(text?: string): unknown
  destroy(): unknown
}

/** How long whoever was answered may take to hang up. */
const CLOSE_TIMEOUT_MS = 1_000

const REFUSAL = [
  'HTTP/1.1 426 Upgrade Required',
  'Upgrade: websocket',
  'Connection: upgrade, close',
  'Content-Length: 0',
  '\r\n',
].join('\r\n')

/**
 * Has a server of Node upgrade to WebSockets and to nothing else. By itself it takes every request for an upgrade
 * for one that some listener answers, such as the offer of HTTP/2 that Java's `HttpClient` sends along;
 * `serve({ websocket })` of `@hono/node-server` answers WebSockets, and the sockets of all others would stay
 * open for good, without a token.
 *
 * From Node 24.9 on such a request is served as if it had asked for no upgrade; before, it is answered with 426 and
 * closed. Call it once, behind everything that listens for `upgrade`.
 *
 * @returns the same server.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.8
 *
 * @example
 * ```ts
 * import { serve } from '@hono/node-server'
 * import { onlyWebSockets } from 'nullpool/gateway'
 *
 * onlyWebSockets(serve({ fetch: gateway.fetch, websocket: { server: sockets } }))
 * ```
 */
export function onlyWebSockets<Server extends UpgradingServer>(server: Server): Server {
  const listeners = server.listeners('upgrade') as ((...upgrade: unknown[]) => void)[]
  // Where nobody listens, Node answers every upgrade as an ordinary request.
  if (listeners.length === 0) return server
  // Where Node has this option of its servers, they keep it here.
  if ('shouldUpgradeCallback' in server) {
    Object.assign(server, { shouldUpgradeCallback: isWebSocket })
  }
  // Not one more: @hono/node-server refuses WebSockets only where it is the one that listens.
  server.removeAllListeners('upgrade')
  server.on('upgrade', (request: UpgradeRequest, socket: UpgradedSocket, head: unknown) => {
    socket.once('finish', () => hangUp(socket))
    if (!isWebSocket(request)) return refuse(socket)
    for (const listener of listeners) listener.call(server, request, socket, head)
  })
  return server
}

function isWebSocket({ headers }: UpgradeRequest): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket'
}

function refuse(socket: UpgradedSocket): void {
  socket.on('error', () => undefined)
  // Closing with bytes unread would take the answer back.
  socket.resume()
  socket.end(REFUSAL)
}

/** Whoever has been told everything is not waited for. */
function hangUp(socket: UpgradedSocket): void {
  const closing = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS)
  socket.once('close', () => clearTimeout(closing))
}
