import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setImmediate as nextLoopTurn } from 'node:timers/promises'
import { type Connection, TransportError, webSocketTransport } from 'nullpool'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { closedPort } from '../support/counting-proxy.ts'

const TARGET = { host: 'db.example', port: 6543 }

describe('webSocketTransport', () => {
  let server: WebSocketServer
  let url: string
  beforeEach(async () => {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    await once(server, 'listening')
    url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  })
  afterEach(async () => {
    for (const client of server.clients) client.terminate()
    server.close()
    await once(server, 'close')
  })

  const connect = (signal = new AbortController().signal): Promise<Connection> =>
    webSocketTransport({ url }).connect(TARGET, { signal, willStartTls: false })

  /** Both ends. */
  async function pair(): Promise<{ connection: Connection; peer: WebSocket }> {
    const accepted = once(server, 'connection') as Promise<[WebSocket]>
    const connection = await connect()
    const [peer] = await accepted
    return { connection, peer }
  }

  async function collect(connection: Connection, length: number): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    for (let got = 0; got < length; ) {
      const chunk = await connection.read()
      if (!chunk) throw new Error(`It ended after ${got} bytes.`)
      chunks.push(chunk)
      got += chunk.length
    }
    return Buffer.concat(chunks)
  }

  const failureOf = (work: Promise<unknown>): Promise<TransportError> =>
    work.then(
      () => {
        throw new Error('It did not fail.')
      },
      (error: TransportError) => error,
    )

  it('keeps the order of what comes in, however it is cut into messages', async () => {
    const { connection, peer } = await pair()
    const sent = Buffer.from(Array.from({ length: 5000 }, (_, n) => n % 251))
    for (let at = 0, size = 1; at < sent.length; at += size, size = (size * 7) % 97 || 1) {
      peer.send(sent.subarray(at, at + size))
      // An empty message is no end.
      peer.send(new Uint8Array())
    }
    expect((await collect(connection, sent.length)).equals(sent)).toBe(true)
    await connection.close()
  })

  it('gives what was said before a goodbye to its reader, also behind a write that came too late', async () => {
    const { connection, peer } = await pair()
    const gone = once(peer, 'close')
    peer.send('why it is refused', { binary: true })
    peer.close(4401, 'ERR_GATEWAY_TOKEN')
    await gone
    await connection.write(Buffer.from('too late'))
    expect((await collect(connection, 17)).toString()).toBe('why it is refused')
    expect(await failureOf(connection.read())).toMatchObject({ reason: 'lost' })
    expect(await failureOf(connection.write(Buffer.from('x')))).toMatchObject({ reason: 'lost' })
  })

  it('sends what is large in messages of 64 KiB at the most, in order', async () => {
    const { connection, peer } = await pair()
    const messages: Buffer[] = []
    peer.on('message', (data: Buffer) => messages.push(data))
    const sent = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 251))
    await connection.write(sent)
    await connection.write(Buffer.from('end'))
    await connection.close()
    expect(messages.map(({ length }) => length)).toEqual([
      ...[65_536, 65_536, 65_536, 65_536, 37_856],
      3,
    ])
    expect(Buffer.concat(messages).equals(Buffer.concat([sent, Buffer.from('end')]))).toBe(true)
  })

  it('passes 20 MB each way at once', { timeout: 60_000 }, async () => {
    const { connection, peer } = await pair()
    peer.on('message', (data: Buffer) => peer.send(data))
    const sent = Buffer.alloc(20_000_000, 'all sorts of bytes \0\xff')
    const [back] = await Promise.all([collect(connection, sent.length), connection.write(sent)])
    expect(back.equals(sent)).toBe(true)
    await connection.close()
  })

  it('write waits where the other side does not take it', async () => {
    const { connection, peer } = await pair()
    peer.pause()
    let taken = false
    const writing = connection.write(Buffer.alloc(40_000_000)).then(() => {
      taken = true
    })
    let received = 0
    peer.on('message', (data: Buffer) => {
      received += data.length
    })
    // Without waiting all of it would have been taken in the turn that began it.
    await nextLoopTurn()
    expect(taken).toBe(false)
    peer.resume()
    await writing
    await connection.close()
    expect(received).toBe(40_000_000)
  })

  it('a write that waits fails with the connection', async () => {
    const { connection, peer } = await pair()
    peer.pause()
    const writing = failureOf(connection.write(Buffer.alloc(40_000_000)))
    connection.destroy()
    expect(await writing).toMatchObject({ name: 'TransportError', reason: 'lost' })
  })

  it('is overrun by 16 MiB that nobody reads, and by nothing less', async () => {
    const { connection, peer } = await pair()
    const closed = once(peer, 'close')
    const large = Buffer.alloc(1_048_576)
    for (let n = 0; n < 16; n += 1) peer.send(large)
    peer.ping()
    // The answer to the ping says that all before it has arrived.
    await once(peer, 'pong')
    expect(await collect(connection, large.length * 16)).toHaveLength(16_777_216)
    for (let n = 0; n < 17; n += 1) peer.send(large)
    await closed
    const failure = await failureOf(connection.read())
    expect(failure).toMatchObject({ reason: 'overrun' })
    expect(await failureOf(connection.write(large))).toBe(failure)
    await connection.close()
  })

  it('whoever reads is not overrun by one message, however large', async () => {
    const { connection, peer } = await pair()
    const reading = connection.read()
    peer.send(Buffer.alloc(20_000_000))
    expect((await reading)?.length).toBe(20_000_000)
    await connection.close()
  })

  it.each([1000, 1001])('a close with %i is the end, after what came before', async (code) => {
    const { connection, peer } = await pair()
    peer.send(Buffer.from('last'))
    peer.close(code)
    expect(Buffer.from((await connection.read()) ?? []).toString()).toBe('last')
    expect(await connection.read()).toBeUndefined()
    expect(await failureOf(connection.write(Buffer.from('x')))).toMatchObject({ reason: 'lost' })
    await connection.close()
  })

  it.each([
    [1011, 'The target did not answer.', 'gateway', false],
    [1000, '', 'gateway', false],
    [4403, 'not listed', 'gateway', false],
    [1011, 'restarting', 'lost', true],
  ] as const)('a close with %i %s is told: %s', async (code, words, reason, heard) => {
    const { connection, peer } = await pair()
    if (heard) {
      peer.send(Buffer.from('x'))
      await connection.read()
    }
    peer.close(code, words)
    const failure = await failureOf(connection.read())
    expect(failure).toMatchObject({ reason, hint: expect.stringContaining(words) })
    expect(failure.message).toContain(String(code))
  })

  it('an abrupt end is one, also of a reader that waits', async () => {
    const { connection, peer } = await pair()
    peer.send(Buffer.from('x'))
    await connection.read()
    const reading = failureOf(connection.read())
    peer.terminate()
    expect(await reading).toMatchObject({ reason: 'lost' })
    await connection.close()
  })

  it('text is refused', async () => {
    const { connection, peer } = await pair()
    peer.send('text')
    expect(await failureOf(connection.read())).toMatchObject({ reason: 'gateway' })
  })

  it('nothing that listens, and something that is no WebSocket, are told alike', async () => {
    const port = await closedPort()
    url = `ws://127.0.0.1:${port.port}/v1`
    expect(await failureOf(connect())).toMatchObject({ reason: 'gateway' })
    port.release()
    const plain = createServer((socket) => socket.end('HTTP/1.1 401 No\r\n\r\n')).listen(0)
    await once(plain, 'listening')
    url = `ws://127.0.0.1:${(plain.address() as AddressInfo).port}/v1`
    expect(await failureOf(connect())).toMatchObject({ reason: 'gateway' })
    plain.close()
  })

  it('an attempt that is given up closes its socket', async () => {
    const accepted: Socket[] = []
    const silent = createServer((socket) => accepted.push(socket)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    url = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}/v1`
    const abort = new AbortController()
    const connecting = failureOf(connect(abort.signal))
    const [socket] = (await once(silent, 'connection')) as [Socket]
    socket.resume()
    const closed = once(socket, 'close')
    abort.abort()
    expect(await connecting).toMatchObject({ reason: 'lost' })
    await closed
    expect(accepted).toHaveLength(1)
    expect(await failureOf(connect(AbortSignal.abort()))).toMatchObject({ reason: 'lost' })
    silent.close()
  })

  it('destroy() wakes whoever reads, at once and for good', async () => {
    const { connection } = await pair()
    const reading = failureOf(connection.read())
    connection.destroy()
    expect(await reading).toMatchObject({ reason: 'lost' })
    connection.destroy()
    await connection.close()
  })

  it('cannot start TLS inside', async () => {
    const { connection } = await pair()
    expect(await failureOf(connection.startTls({}))).toMatchObject({ reason: 'unsupported' })
    expect(connection).toMatchObject({ isProtected: true, handshakes: 2, takesPassword: false })
    await connection.close()
  })

  it('failures are TransportErrors of this package', async () => {
    url = 'nowhere'
    expect(await failureOf(connect())).toBeInstanceOf(TransportError)
  })
})
