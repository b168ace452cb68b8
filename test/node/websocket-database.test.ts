import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import {
  createDatabase,
  type DatabaseOptions,
  type NullpoolError,
  type Pooler,
  webSocketTransport,
} from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, closedPort, startCountingProxy } from '../support/counting-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'
import { trustWebSockets } from '../support/trusting-websocket.ts'
import { startWebSocketTunnel, type WebSocketTunnel } from '../support/websocket-tunnel.ts'

const { pgbouncer, postgres, ca, otherCa, certificateFiles } = inject('servers')

const TOKEN = 'very-secret_token.0'

/** Trips that the proxy counts, up to and with a first statement; the WebSocket's own are not in it. */
const COLD: readonly [Pooler, number][] = [
  ['supavisor', 4],
  ['pgbouncer', 2],
  ['postgres', 2],
  // Direct TLS is no TLS at all in here.
  ['neon', 2],
]

describe.skipIf(!pgbouncer)('a database behind a WebSocket', () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  let clear: WebSocketTunnel
  let secure: WebSocketTunnel
  let distrust: () => void
  beforeAll(async () => {
    bed = await createTestDatabase()
    proxy = await startCountingProxy({ target: pgbouncer ?? postgres })
    clear = await startWebSocketTunnel({ token: TOKEN })
    secure = await startWebSocketTunnel({ token: TOKEN, tls: certificateFiles })
    distrust = trustWebSockets(ca, () => secure.port)
    await over(secure).run({}, ({ sql }) => sql`select ${1}::int as learned`)
    await settled()
  })
  afterEach(() => settled())
  afterAll(async () => {
    distrust()
    await clear.stop()
    await secure.stop()
    await proxy.stop()
    await bed[Symbol.asyncDispose]()
  })

  async function settled(): Promise<void> {
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    proxy.reset()
  }

  const over = ({ url }: { url: string }, options: DatabaseOptions = {}, token = TOKEN) =>
    createDatabase({
      url: bed.url(proxy),
      transport: webSocketTransport({ url, token }),
      ...options,
    })

  const failure = async (
    database: ReturnType<typeof createDatabase>,
  ): Promise<NullpoolError | undefined> =>
    database
      .run({}, ({ sql }) => sql`select 1`)
      .then(
        () => undefined,
        (error: NullpoolError) => error,
      )

  it.each(COLD)(
    '%s: so many trips to a first statement, with values and without',
    async (pooler, turns) => {
      for (const [tunnel, handshakes] of [
        [secure, 3],
        [clear, 2],
      ] as const) {
        const scope = over(tunnel, { pooler }).scope()
        await scope.sql`select ${2}::int as learned`
        expect(proxy.turns).toBe(turns)
        expect(scope.metrics).toMatchObject({ connects: 1, roundTrips: handshakes + turns })
        await scope.sql`select ${3}::int as learned`
        await scope.sql`select 1`
        expect(proxy.turns).toBe(turns + 2)
        await scope.close()
        await settled()
        const plain = over(tunnel, { pooler }).scope()
        await plain.sql`select 1`
        expect(plain.metrics.roundTrips).toBe(handshakes + turns)
        await plain.close()
        await settled()
      }
    },
  )

  it('no request for TLS is sent inside, whatever tls says', async () => {
    for (const tls of ['verify', 'disable', undefined] as const) {
      const scope = over(secure, { pooler: 'postgres', ...(tls ? { tls } : {}) }).scope()
      await scope.sql`select ${2}::int as learned`
      expect(proxy.turns).toBe(2)
      await scope.close()
      await settled()
    }
  })

  it('a token goes out as a subprotocol, or in the address where told to', async () => {
    await over(secure).run({}, ({ sql }) => sql`select 1`)
    const target = `${proxy.host}:${proxy.port}`
    expect(secure.upgrades.at(-1)).toEqual({
      path: '/v1',
      address: target,
      protocols: expect.stringMatching(`^nullpool, ?bearer\\.${TOKEN}$`),
    })
    const options = { url: secure.url, token: TOKEN, tokenIn: 'query' } as const
    const transport = webSocketTransport(options)
    await over(secure, { transport }).run({}, ({ sql }) => sql`select 1`)
    expect(secure.upgrades.at(-1)).toEqual({ path: '/v1', address: target, protocols: undefined })
  })

  it('a gateway that says no is told as such, without the token', async () => {
    const wrong = 'another-secret'
    const error = await failure(over(secure, {}, wrong))
    expect(error).toMatchObject({
      code: 'ERR_GATEWAY',
      message: expect.stringContaining('The statement did not run.'),
      hint: expect.stringContaining('token'),
    })
    const seen = JSON.stringify(error, Object.getOwnPropertyNames(error)) + String(error?.cause)
    expect(seen).not.toContain(wrong)
    expect(proxy.connections).toHaveLength(0)
  })

  it('a target that does not answer is told as such, with what the gateway says', async () => {
    const port = await closedPort()
    const error = await failure(over(secure, { url: bed.url(port) }))
    expect(error).toMatchObject({
      code: 'ERR_GATEWAY',
      retryable: true,
      hint: expect.stringContaining('The target did not answer.'),
    })
    port.release()
  })

  it('a gateway of another authority is not trusted', async () => {
    distrust()
    const undo = trustWebSockets(otherCa, () => secure.port)
    expect(await failure(over(secure))).toMatchObject({ code: 'ERR_GATEWAY' })
    undo()
    distrust = trustWebSockets(ca, () => secure.port)
    expect(proxy.connections).toHaveLength(0)
  })

  it.each([[{ ca: 'PEM' }], [{ serverName: 'other.example' }]])(
    'tls %j is refused before anything is sent',
    async (tls) => {
      const before = secure.upgrades.length
      expect(await failure(over(secure, { tls }))).toMatchObject({ code: 'ERR_OPTIONS' })
      expect(secure.upgrades).toHaveLength(before)
    },
  )

  it('ws:// to another machine is refused, also where the database is on loopback', async () => {
    const error = await failure(over({ url: 'ws://gateway.example/v1' }))
    expect(error).toMatchObject({ code: 'ERR_OPTIONS', hint: expect.stringContaining("'disable'") })
  })

  it('a gateway that stays silent is given up in time, and its socket closed', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const connected = once(silent, 'connection') as Promise<[Socket]>
    const url = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}/v1`
    const failing = failure(over({ url }, { connectTimeoutMs: 300 }))
    const [socket] = await connected
    socket.resume()
    const closed = once(socket, 'close')
    expect(await failing).toMatchObject({
      code: 'ERR_CONNECT_TIMEOUT',
      message: expect.stringContaining('the WebSocket'),
    })
    await closed
    silent.close()
  })

  it('a connection that is cut says so, and whether the statement can have run', async () => {
    const scope = over(secure).scope()
    await scope.sql`select 1`
    const running = scope.sql`select pg_sleep(${20})`.then(
      () => undefined,
      (error: NullpoolError) => error,
    )
    const turns = proxy.turns
    await proxy.until((now) => now.turns > turns)
    proxy.cutAll('rst')
    expect(await running).toMatchObject({ code: 'ERR_CONNECTION_LOST', retryable: false })
    await scope.close()
  })

  it('megabytes pass both ways', { timeout: 60_000 }, async () => {
    const large = 'ü'.repeat(10_000_000)
    const [row] = await over(secure).run({}, ({ sql }) => sql`select ${large}::text as text`)
    expect(row?.text === large).toBe(true)
  })

  it('a COPY that nobody reads is bounded, and told as such', { timeout: 60_000 }, async () => {
    const scope = over(secure).scope()
    const rows = scope.sql`copy (select repeat('x', 1000000) from generate_series(1, 60)) to stdout`
    const stream = await rows.readable()
    await expect.poll(() => secure.open, { timeout: 30_000 }).toBe(0)
    const read = async (): Promise<void> => {
      for await (const _chunk of stream);
    }
    await expect(read()).rejects.toMatchObject({ code: 'ERR_STREAM_OVERRUN', retryable: false })
    await scope.close()
  })

  it('a COPY of 60 MB that is read is not', { timeout: 60_000 }, async () => {
    const scope = over(secure).scope()
    const rows = scope.sql`copy (select repeat('x', 1000000) from generate_series(1, 60)) to stdout`
    let bytes = 0
    for await (const chunk of await rows.readable()) bytes += chunk.length
    expect(bytes).toBe(60_000_060)
    await scope.close()
  })

  it('says goodbye: no client stays at the pooler, no WebSocket at the gateway', async () => {
    for (const tunnel of [clear, secure]) await over(tunnel).run({}, ({ sql }) => sql`select 1`)
    await expect.poll(() => clear.open + secure.open).toBe(0)
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })
})
