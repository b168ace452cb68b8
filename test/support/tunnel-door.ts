import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { createWebSocketStream, WebSocket } from 'ws'
import { type RunningGateway, TOKEN } from './gateway-bed.ts'

/** A port of this machine that leads through a tunnel, for clients that speak TCP. */
export interface TunnelDoor extends AsyncDisposable {
  readonly host: string
  readonly port: number
}

/** Opens one; `cut` says in which pieces the client's bytes become messages. */
export async function openTunnelDoor(
  gateway: RunningGateway,
  path: string,
  cut: (bytes: Buffer) => Buffer[] = (bytes) => [bytes],
): Promise<TunnelDoor> {
  const ends: (() => void)[] = []
  const server = createServer((socket) => {
    const headers = { authorization: `Bearer ${TOKEN}` }
    const tunnel = new WebSocket(`ws://${gateway.host}${path}`, { headers })
    ends.push(() => {
      socket.destroy()
      tunnel.terminate()
    })
    join(socket, tunnel, cut)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('It does not listen.')
  return {
    host: '127.0.0.1',
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const end of ends) end()
      server.close()
      await once(server, 'close')
    },
  }
}

function join(socket: Socket, tunnel: WebSocket, cut: (bytes: Buffer) => Buffer[]): void {
  const stream = createWebSocketStream(tunnel)
  stream.on('error', () => socket.destroy())
  socket.on('error', () => tunnel.terminate())
  socket.on('data', (bytes: Buffer) => {
    for (const piece of cut(bytes)) stream.write(piece)
  })
  socket.on('end', () => stream.end())
  stream.pipe(socket)
}
