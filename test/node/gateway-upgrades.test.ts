import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { onlyWebSockets } from 'nullpool/gateway'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { TOKEN } from '../support/gateway-bed.ts'
import { StartedGateway } from '../support/started-gateway.ts'
import { TcpServer } from '../support/tcp-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'
import { TunnelClient } from '../support/tunnel-client.ts'

const { postgres } = inject('servers')

const SERVED = '200 OK'

describe.each([
  ['Node 24', 'node_modules/.bin/node', SERVED],
  ['Node 22', 'test/node22/node_modules/.bin/node', '426 Upgrade Required'],
])('a request for an upgrade, on %s', (_name, node, answer) => {
  let bed: TestDatabase
  let server: TcpServer
  let gateway: StartedGateway
  beforeAll(async () => {
    bed = await createTestDatabase()
    server = await TcpServer.start()
    const targets = [`${postgres.host}:${postgres.port}`, server.address].join()
    const environment = { GATEWAY_TOKEN: TOKEN, GATEWAY_TARGETS: targets }
    gateway = await new StartedGateway(environment, node).ready()
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  /** Sends a request; whoever has sent it says no more, and does not hang up by itself. */
  function send(...lines: string[]): Socket {
    const [host = '', port] = gateway.host.split(':')
    const socket = connect({ host, port: Number(port), allowHalfOpen: true })
    socket.on('error', () => undefined)
    socket.write(lines.join('\r\n'))
    return socket
  }

  async function hear(socket: Socket): Promise<string> {
    const [chunk] = await once(socket, 'data')
    return String(chunk)
  }

  /** Resolves once the gateway has dropped its end, which answers what is sent then with a reset. */
  async function untilDropped(socket: Socket): Promise<void> {
    socket.resume()
    const say = (): boolean => {
      if (!socket.destroyed) socket.write('still there')
      return socket.destroyed
    }
    await expect.poll(say, { timeout: 20_000 }).toBe(true)
  }

  it('to HTTP/2 is answered, as it comes from Java with each request', async () => {
    const body = '{"query":"select 1 as one"}'
    const socket = send(
      'POST /sql HTTP/1.1',
      'host: x',
      `authorization: Bearer ${TOKEN}`,
      `neon-connection-string: ${bed.url(postgres)}`,
      'connection: Upgrade, HTTP2-Settings',
      'upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA',
      `content-length: ${body.length}`,
      `\r\n${body}`,
    )
    expect(await hear(socket)).toContain(`HTTP/1.1 ${answer}\r\n`)
    // Who was served may ask again; who was refused is not waited for.
    if (answer === SERVED) socket.destroy()
    else await untilDropped(socket)
  })

  it('to anything leaves no socket behind, without a token', async () => {
    const sockets = Array.from({ length: 20 }, () =>
      send('GET / HTTP/1.1', 'host: x', 'connection: upgrade', 'upgrade: x', '\r\n'),
    )
    const closed = sockets.map((socket) => once(socket.resume(), 'close'))
    for (const socket of sockets) socket.end()
    await Promise.all(closed)
  })

  it('to a WebSocket that there is not is refused, and its client not waited for', async () => {
    const socket = send(
      'GET /nothing HTTP/1.1',
      'host: x',
      'connection: upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
      '\r\n',
    )
    expect(await hear(socket)).toContain('HTTP/1.1 404 Not Found\r\n')
    await untilDropped(socket)
  })

  it('to a WebSocket opens a tunnel', async () => {
    const client = await new TunnelClient(gateway, `/v1?address=${server.address}`).open()
    await client.send('something')
    await server.until(({ received }) => received === 9)
    client.socket.close()
    await client.untilClosed()
    await server.untilEmpty()
  })
})

it('onlyWebSockets() leaves a server alone that takes none', async () => {
  const server = createServer((_request, response) => response.end('served'))
  expect(onlyWebSockets(server)).toBe(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const headers = { connection: 'upgrade', upgrade: 'websocket' }
  const asking = request({ port, host: '127.0.0.1', headers }).end()
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  expect(await text(answer)).toBe('served')
  server.close()
})
