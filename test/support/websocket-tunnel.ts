// A WebSocket tunnel for tests: bytes in, bytes out, nothing else. It stands where a gateway such as Neon's
// wsproxy would stand, knows no limits and guards nothing: not for use.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

export interface TunnelOptions {
  /** Offers `wss:` instead of `ws:`. */
  tls?: { certFile: string; keyFile: string }
  /** Where `/v2` leads, which names no target. */
  target?: { host: string; port: number }
  /** Refuses with 401 who does not bring it, as a subprotocol or in the address. */
  token?: string
}

/** What somebody has asked for. */
export interface Upgrade {
  path: string
  address: string | null
  protocols: string | undefined
}

export interface WebSocketTunnel {
  readonly host: string
  readonly port: number
  /** `ws://127.0.0.1:…/v1`, or `wss://localhost:…/v1`. */
  readonly url: string
  readonly upgrades: readonly Upgrade[]
  /** WebSockets that are not closed. */
  readonly open: number
  stop(): Promise<void>
}

/** Starts a tunnel on a free port of the loopback address. */
export async function startWebSocketTunnel(options: TunnelOptions = {}): Promise<WebSocketTunnel> {
  const { tls, target, token } = options
  const server = tls
    ? createSecureServer({ cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) })
    : createServer()
  const upgrades: Upgrade[] = []
  const sockets = new WebSocketServer({
    server,
    maxPayload: 256 * 1024 * 1024,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has('nullpool') ? 'nullpool' : false),
    verifyClient: ({ req }: { req: IncomingMessage }, decide) => {
      const asked = read(req)
      upgrades.push(asked)
      decide(isLetIn(req, token), 401, 'No')
    },
  })
  sockets.on('connection', (socket, request) => {
    const { path, address } = read(request)
    const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(address ?? '') ?? []
    join(socket, path === '/v2' && target ? target : { host, port: Number(port) })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    host: '127.0.0.1',
    port,
    url: tls ? `wss://localhost:${port}/v1` : `ws://127.0.0.1:${port}/v1`,
    upgrades,
    get open() {
      return sockets.clients.size
    },
    async stop() {
      for (const socket of sockets.clients) socket.terminate()
      server.close()
      await once(server, 'close')
    },
  }
}

function read(request: IncomingMessage): Upgrade {
  const url = new URL(request.url ?? '', 'http://tunnel.test')
  const protocols = request.headers['sec-websocket-protocol']
  return { path: url.pathname, address: url.searchParams.get('address'), protocols }
}

function isLetIn(request: IncomingMessage, token: string | undefined): boolean {
  if (token === undefined) return true
  const url = new URL(request.url ?? '', 'http://tunnel.test')
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(/, */)
  return offered.includes(`bearer.${token}`) || url.searchParams.get('token') === token
}

/** One message is one write, one read is one message, and the end of one side is the end of the other. */
function join(socket: WebSocket, target: { host: string; port: number }): void {
  const tcp = connect({ ...target, noDelay: true })
  socket.on('message', (data: Buffer) => {
    if (!tcp.destroyed && !tcp.write(data)) socket.pause()
  })
  tcp.on('drain', () => socket.resume())
  tcp.on('data', (bytes) => {
    tcp.pause()
    socket.send(bytes, () => tcp.resume())
  })
  tcp.on('end', () => socket.close(1000))
  tcp.on('error', () => {
    // Paused, it would not hear the end.
    socket.resume()
    socket.close(1011, 'The target did not answer.')
  })
  socket.on('error', () => tcp.destroy())
  socket.on('close', (code) => (code === 1000 ? tcp.end() : tcp.destroy()))
}
