import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import postgres from 'postgres'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { makeCertificates } from '../support/certificates.ts'
import {
  type CountingProxy,
  type CountingProxyOptions,
  closedPort,
} from '../support/counting-proxy.ts'
import { ending, type Line, ProxiedLines, read, say } from '../support/proxied-lines.ts'

let lines: ProxiedLines
let proxy: CountingProxy

async function start(options: Partial<CountingProxyOptions> = {}): Promise<void> {
  lines = await ProxiedLines.start(options)
  proxy = lines.proxy
}

afterEach(() => lines.stop())

describe('turns', () => {
  it('counts the client speaking first', async () => {
    await start()
    const { client, server } = await lines.open()
    expect(proxy.turns).toBe(0)
    await say(client, server, 'hello')
    expect(proxy.turns).toBe(1)
  })

  it('does not count a server that speaks first', async () => {
    await start()
    const { client, server } = await lines.open()
    await say(server, client, 'banner')
    expect(proxy.turns).toBe(0)
  })

  it('takes what a client sends without an answer between as one turn', async () => {
    await start()
    const { client, server } = await lines.open()
    for (const text of ['one', 'two', 'three']) await say(client, server, text)
    expect(proxy.turns).toBe(1)
    for (const text of ['one', 'two', 'three']) await say(server, client, text)
    expect(proxy.turns).toBe(1)
    await say(client, server, 'four')
    expect(proxy.turns).toBe(2)
    expect(proxy.connections[0]).toMatchObject({ turns: 2, bytesUp: 15, bytesDown: 11 })
  })

  it.each([
    ['passed', 'pass'],
    ['split into bytes', { split: 1 }],
  ] as const)('counts the same when chunks are %s', async (_, action) => {
    await start({ faults: [{ when: () => action }] })
    const { client, server } = await lines.open()
    for (let round = 0; round < 10; round += 1) {
      await say(client, server, 'question')
      await say(server, client, 'an answer')
    }
    expect(proxy.turns).toBe(10)
  })

  it('counts the same when answers are merged', async () => {
    await start({
      faults: [{ when: ({ direction }) => (direction === 'down' ? { merge: 2 } : undefined) }],
    })
    const { client, server } = await lines.open()
    for (let round = 1; round <= 5; round += 1) {
      await say(client, server, 'question')
      server.write('first')
      await proxy.until(({ connections }) => connections[0]?.bytesDown === round * 11 - 6)
      server.write('second')
      expect((await read(client, 11)).join('')).toBe('firstsecond')
    }
    expect(proxy.turns).toBe(5)
  })

  it('counts nothing twice when the answer overtakes the second half of a flight', async () => {
    // The line is longer than the pause in the flight, so the client cannot have heard the answer.
    await start({ latencyMs: 100 })
    const { client, server } = await lines.open()
    await say(client, server, 'first half')
    server.write('early answer')
    await proxy.until(({ connections }) => connections[0]?.bytesDown === 12)
    await say(client, server, 'second half')
    expect(proxy.turns).toBe(1)
    expect((await read(client, 12)).join('')).toBe('early answer')
    await say(client, server, 'next')
    expect(proxy.turns).toBe(2)
  })

  it('adds up connections, and counts from zero after a reset', async () => {
    await start()
    const first = await lines.open()
    const second = await lines.open()
    await say(first.client, first.server, 'a')
    await say(second.client, second.server, 'b')
    expect(proxy.turns).toBe(2)
    first.client.end()
    first.server.end()
    await proxy.until(({ connections }) => connections[0]?.open === false)
    proxy.reset()
    expect(proxy.connections).toHaveLength(1)
    expect(proxy.turns).toBe(0)
    // It had spoken last before the reset; now it speaks first.
    await say(second.client, second.server, 'c')
    expect(proxy.turns).toBe(1)
  })

  it('keeps a transcript if asked to', async () => {
    await start({ record: true })
    const { client, server } = await lines.open()
    await say(client, server, 'ping')
    await say(server, client, 'pong')
    const said = proxy.connections[0]?.transcript.map(
      ({ direction, bytes }) => `${direction} ${Buffer.from(bytes)}`,
    )
    expect(said).toEqual(['up ping', 'down pong'])
  })

  it('keeps none unless asked to', async () => {
    await start()
    const { client, server } = await lines.open()
    await say(client, server, 'ping')
    expect(proxy.connections[0]?.transcript).toEqual([])
  })

  it('passes megabytes each way unchanged', async () => {
    await start()
    const { client, server } = await lines.open()
    const text = 'nullpool'.repeat(500_000)
    await say(client, server, text)
    await say(server, client, text)
    expect(proxy.connections[0]).toMatchObject({ turns: 1, bytesUp: 4e6, bytesDown: 4e6 })
  })
})

describe('endings', () => {
  it.each([
    ['client-fin', 'end'],
    ['client-rst', 'ECONNRESET'],
    ['server-fin', 'end'],
    ['server-rst', 'ECONNRESET'],
  ] as const)('passes on a %s and names it', async (closedBy, seen) => {
    await start()
    const line: Line = await lines.open()
    await say(line.client, line.server, 'a')
    const [closer, other] = closedBy.startsWith('client')
      ? [line.client, line.server]
      : [line.server, line.client]
    if (closedBy.endsWith('fin')) closer.end()
    else closer.resetAndDestroy()
    expect(await ending(other)).toBe(seen)
    expect(proxy.connections[0]?.closedBy).toBe(closedBy)
    other.end()
    await proxy.until(({ connections }) => connections[0]?.open === false)
    expect(proxy.connections[0]?.closedBy).toBe(closedBy)
  })

  it('delivers what was sent before the end', async () => {
    await start()
    const { client, server } = await lines.open()
    client.end('last words')
    expect((await read(server, 10)).join('')).toBe('last words')
    // The other half is still open.
    await say(server, client, 'heard')
  })

  it('resets the client when nobody listens behind', async () => {
    const nobody = await closedPort()
    await start({ target: nobody })
    expect(await ending(lines.dial())).toBe('ECONNRESET')
    expect(proxy.connections[0]?.closedBy).toBe('server-rst')
    nobody.release()
  })

  it('refuses, and stops refusing', async () => {
    await start({ refuse: true })
    expect(await ending(lines.dial())).toBe('ECONNRESET')
    expect(proxy.refused).toBe(1)
    expect(proxy.connections).toEqual([])
    proxy.refuse = false
    const { client, server } = await lines.open()
    await say(client, server, 'a')
  })

  it('asks for the target of each connection', async () => {
    const asked: number[] = []
    const nobody = await closedPort()
    await start({
      target: () => {
        asked.push(asked.length)
        return nobody
      },
    })
    await ending(lines.dial())
    await ending(lines.dial())
    expect(asked).toEqual([0, 1])
    nobody.release()
  })

  it('knows a port that nobody listens on', async () => {
    await start()
    const nobody = await closedPort()
    const socket = connect(nobody.port, nobody.host)
    expect(await ending(socket)).toBe('ECONNREFUSED')
    nobody.release()
  })

  it('tells whoever waits in vain what it saw', async () => {
    await start()
    const { client, server } = await lines.open()
    await say(client, server, 'abc')
    const never = proxy.until(({ turns }) => turns === 2)
    await lines.stop()
    await expect(never).rejects.toThrow('Connections: 1 turns, 3 bytes up, 0 down,')
    await start()
  })
})

describe('TLS', () => {
  it('is opaque and counted the same', async () => {
    const certificates = await makeCertificates()
    const echo = createTlsServer(certificates.server, (socket) => {
      socket.on('data', (bytes) => socket.write(bytes))
    }).listen(0, '127.0.0.1')
    await once(echo, 'listening')
    const { port } = echo.address() as AddressInfo
    await start({ target: { host: '127.0.0.1', port } })
    const { pem: ca } = certificates.ca
    const client = connectTls({ port: proxy.port, host: proxy.host, ca, servername: 'localhost' })
    await once(client, 'secureConnect')
    client.write('first')
    await read(client, 5)
    proxy.reset()
    for (let round = 1; round <= 5; round += 1) {
      client.write('question')
      expect((await read(client, 8)).join('')).toBe('question')
      expect(proxy.turns).toBe(round)
    }
    expect(proxy.connections[0]?.bytesUp).toBeGreaterThan(5 * 'question'.length)
    client.destroy()
    echo.close()
    await certificates.remove()
  })
})

describe('postgres.js in front of a real Postgres', () => {
  it('is counted as another proxy counted it before', async () => {
    const { host, port, user, password } = inject('servers').postgres
    await start({ target: { host, port } })
    const sql = postgres({
      ...{ host: proxy.host, port: proxy.port, user, password, database: 'postgres' },
      ...{ prepare: false, fetch_types: false, max: 1 },
    })
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
    expect(proxy.turns).toBe(4)
    proxy.reset()
    await sql`select 1`
    expect(proxy.turns).toBe(1)
    proxy.reset()
    expect(await sql`select ${7}::int as seven`).toEqual([{ seven: 7 }])
    expect(proxy.turns).toBe(2)
    proxy.reset()
    await Promise.all([sql`select 1`, sql`select 2`, sql`select 3`])
    expect(proxy.turns).toBe(1)
    proxy.reset()
    await sql.begin((transaction) => transaction`select ${1}::int`)
    expect(proxy.turns).toBe(4)
    await sql.end()
  })
})
