import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RUNTIMES, type RunningGateway } from '../support/gateway-bed.ts'
import { type TcpConnection, TcpServer } from '../support/tcp-server.ts'
import { pattern, sha256, TunnelClient } from '../support/tunnel-client.ts'
import * as wire from '../support/wire-messages.ts'

const MB = 1_000_000

/** The same as messages of a client that copies, which the gateway reads. */
function copied(length: number): ReturnType<typeof pattern> {
  const { bytes } = pattern(length)
  const startup = wire.startupMessage({ user: 'u' })
  bytes.set(startup)
  for (let at = startup.length; at < length; ) {
    const size = Math.min(8_191, length - at)
    // What is left may be too short for a message, which then is still arriving.
    if (size >= 5) bytes.writeUInt32BE(size - 1, at + 1)
    bytes[at] = 'd'.charCodeAt(0)
    at += size
  }
  return { bytes, hash: sha256(bytes) }
}

describe.each(RUNTIMES)('a tunnel on %s', (_name, start) => {
  let server: TcpServer
  let gateway: RunningGateway
  beforeAll(async () => {
    server = await TcpServer.start()
    gateway = await start({ targets: [server.address] })
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })
  beforeEach(() => void server.connections.splice(0))
  // Whatever happened, nobody is connected afterwards.
  afterEach(() => server.untilEmpty())

  async function connect(path = '/v1'): Promise<[TunnelClient, TcpConnection]> {
    const client = await new TunnelClient(gateway, `${path}?address=${server.address}`).open()
    return [client, await server.until(({ closed }) => closed === 'no')]
  }

  it.each(['/v1', '/v2'])('passes bytes as they are on %s', async (path) => {
    const [client, connection] = await connect(path)
    await client.send(new Uint8Array([0, 255, 128]))
    await client.send('žluť')
    await server.until(({ received }) => received === 9)
    connection.socket.write(Buffer.from([1, 0, 2]))
    await client.until(({ received }) => received === 3)
    expect([...client.head]).toEqual([1, 0, 2])
    const expected = Buffer.concat([Buffer.from([0, 255, 128]), Buffer.from('žluť')])
    expect(connection.hash.digest('hex')).toBe(sha256(expected))
    client.socket.close()
  })

  it.each([
    ['of anything', pattern],
    ['of rows to copy', copied],
  ])('passes 100 MB %s each way at once, and loses none', { timeout: 120_000 }, async (_, make) => {
    const [client, connection] = await connect()
    const { bytes, hash } = make(100 * MB)
    connection.socket.write(bytes)
    for (let at = 0; at < bytes.length; at += MB) {
      await client.send(bytes.subarray(at, at + MB))
      // Nobody can stop a client in front of a Worker: this one waits for itself.
      if (gateway.runtime === 'workerd')
        await server.until(({ received }) => received > at - 4 * MB)
    }
    await server.until(({ received }) => received === bytes.length)
    await client.until(({ received }) => received === bytes.length)
    expect(connection.hash.digest('hex')).toBe(hash)
    expect(client.hash.digest('hex')).toBe(hash)
    client.socket.close()
    expect(await client.untilClosed()).toMatchObject({ status: 1005 })
  })

  it('brings everything that a server says before it ends', async () => {
    const [client, connection] = await connect()
    const { bytes, hash } = pattern(8 * MB)
    connection.socket.end(bytes)
    expect(await client.untilClosed()).toEqual({ status: 1000, reason: 'TCP connection is closed' })
    expect([client.received, client.hash.digest('hex')]).toEqual([bytes.length, hash])
  })

  it('brings everything that a client says before it closes', async () => {
    const [client, connection] = await connect()
    const { bytes, hash } = pattern(8 * MB)
    for (let at = 0; at < bytes.length; at += MB) void client.send(bytes.subarray(at, at + MB))
    client.socket.close(1000)
    await server.until(({ ended }) => ended)
    expect([connection.received, connection.hash.digest('hex')]).toEqual([bytes.length, hash])
    await client.untilClosed()
  })

  it('hangs up on a server that does not in time, once its client has closed', async () => {
    await using impatient = await start({ targets: [server.address], idleTimeoutMs: 3_000 })
    const client = await new TunnelClient(impatient, `/v1?address=${server.address}`).open()
    const connection = await server.until(({ closed }) => closed === 'no')
    connection.endsToo = false
    client.socket.close(1000)
    await server.until(({ ended }) => ended)
    // The server's own side stays open, and is dropped all the same.
    const hear = (): string => {
      if (connection.closed === 'no') connection.socket.write('still there')
      return connection.closed
    }
    await expect.poll(hear, { timeout: 20_000 }).toBe('reset')
    await client.untilClosed()
  })

  it('ends with a server that breaks off', async () => {
    const [client, connection] = await connect()
    connection.socket.write('half a mess')
    await client.until(({ received }) => received === 11)
    connection.socket.resetAndDestroy()
    expect(await client.untilClosed()).toMatchObject({ status: 1011 })
  })

  it('ends with a client that breaks off', async () => {
    const [client] = await connect()
    await client.send('half a mess')
    await server.until(({ received }) => received === 11)
    client.socket.terminate()
    await server.until(({ closed }) => closed !== 'no')
  })

  it('leaves no socket behind, whenever a client leaves', { timeout: 60_000 }, async () => {
    const clients = Array.from({ length: 40 }, async (_, n) => {
      const client = new TunnelClient(gateway, `/v1?address=${server.address}`)
      if (n % 4 === 0) return client.socket.terminate()
      await client.open()
      if (n % 4 === 1) return client.socket.terminate()
      void client.send(pattern(64 * 1024).bytes)
      if (n % 4 === 2) client.socket.close()
      else client.socket.terminate()
      await client.untilClosed()
    })
    await Promise.all(clients)
    await server.untilEmpty()
    const [client] = await connect()
    client.socket.close()
    await client.untilClosed()
  })
})
