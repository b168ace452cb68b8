import { once } from 'node:events'
import { serve, upgradeWebSocket, type WebSocketServerLike } from '@hono/node-server'
import { WebSocketServer } from 'ws'
import { CommandFailure } from '../failure.ts'
import { LOOPBACK } from '../free-port.ts'
import { localSecret } from './local-secret.ts'

/** The door for runtimes without TCP, on this machine. */
export interface LocalGateway {
  url: string
  token: string
  stop(): Promise<void>
}

/** What is taken of `nullpool/gateway`. */
interface GatewayModule {
  createGateway(options: Record<string, unknown>): {
    fetch(request: Request, env: unknown): Response | Promise<Response>
  }
  onlyWebSockets<Server>(server: Server): Server
}

const MAX_MESSAGE_BYTES = 16 * 1_048_576

/** What the gateway leads to on this machine. */
export interface LocalGatewayTarget {
  port: number
  /** Whether that is a pooler, whose sessions change hands. */
  pooled: boolean
}

/** Starts the gateway in front of one port of this machine; it reaches nothing else. */
export async function startLocalGateway(
  port: number,
  target: LocalGatewayTarget,
): Promise<LocalGateway> {
  const { createGateway, onlyWebSockets } = await loadGateway()
  const token = await localSecret('gateway-token')
  const gateway = createGateway({
    token,
    targets: [LOOPBACK, 'localhost'].map((host) => ({
      address: `${host}:${target.port}`,
      guard: target.pooled ? 'throw' : 'off',
    })),
    upgradeWebSocket,
    maxMessageBytes: MAX_MESSAGE_BYTES,
  })
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    // The token that a client offers beside it is not repeated to it.
    handleProtocols: (offered) => (offered.has('nullpool') ? 'nullpool' : false),
  })
  const websocket = { server: sockets as WebSocketServerLike }
  const server = onlyWebSockets(
    serve({ fetch: gateway.fetch, hostname: LOOPBACK, port, websocket }),
  )
  // It was free when the command began; a database has started since.
  await once(server, 'listening').catch((cause: NodeJS.ErrnoException) => {
    throw new CommandFailure(
      `The gateway cannot listen on port ${port} (${cause.code}). Choose another one with --gateway.`,
      { cause },
    )
  })
  return {
    url: `http://${LOOPBACK}:${port}`,
    token,
    async stop() {
      for (const socket of sockets.clients) socket.terminate()
      const closed = once(server, 'close')
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await closed
    },
  }
}

async function loadGateway(): Promise<GatewayModule> {
  // Not a literal: what is looked for is the package as it is installed.
  const name: string = 'nullpool/gateway'
  try {
    return await import(name)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED' && code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new CommandFailure(
      code === 'ERR_MODULE_NOT_FOUND'
        ? 'The gateway lacks a package. Run "npm install hono postgres" in this project, then this command again.'
        : 'This version of nullpool has no gateway. Leave --gateway out.',
      { cause },
    )
  }
}
