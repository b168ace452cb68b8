import { serve, upgradeWebSocket, type WebSocketServerLike } from '@hono/node-server'
import { createGateway, onlyWebSockets } from 'nullpool/gateway'
import { WebSocketServer } from 'ws'

const MAX_MESSAGE_BYTES = 16 * 1_048_576

const { GATEWAY_TOKEN = '', GATEWAY_TARGETS = '', HOST = '127.0.0.1', PORT = '8788' } = process.env

const gateway = createGateway({
  token: GATEWAY_TOKEN,
  targets: GATEWAY_TARGETS.split(',').map((target) => target.trim()),
  upgradeWebSocket,
  maxMessageBytes: MAX_MESSAGE_BYTES,
  onEvent: (event) => console.log(JSON.stringify(event)),
})

const sockets = new WebSocketServer({
  noServer: true,
  // A longer message is refused before all of it is there.
  maxPayload: MAX_MESSAGE_BYTES,
  // The token that a client offers beside it is not repeated to it.
  handleProtocols: (offered) => (offered.has('nullpool') ? 'nullpool' : false),
})

const server = onlyWebSockets(
  serve(
    {
      fetch: gateway.fetch,
      hostname: HOST,
      port: Number(PORT),
      websocket: { server: sockets as WebSocketServerLike },
    },
    ({ address, port }) => console.log(`The gateway listens on http://${address}:${port}`),
  ),
)

/** Tunnels end with their process; queries under way are waited for. */
function stop(): void {
  for (const socket of sockets.clients) socket.close(1001, 'The gateway stops')
  server.close(() => process.exit(0))
}

process.once('SIGINT', stop)
process.once('SIGTERM', stop)
