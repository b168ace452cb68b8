import { neon, neonConfig } from '@neondatabase/serverless'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type BedOptions, RUNTIMES, type RunningGateway, TOKEN } from '../support/gateway-bed.ts'
import { TcpServer } from '../support/tcp-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'
import { pattern, TunnelClient } from '../support/tunnel-client.ts'

const { pgbouncer } = inject('servers')

const MB = 1_000_000

describe.skipIf(!pgbouncer).each(RUNTIMES)('the limits of the gateway on %s', (_name, start) => {
  let bed: TestDatabase
  let server: TcpServer
  let gateway: RunningGateway
  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    server = await TcpServer.start()
    gateway = await start({
      targets: [server.address, `${pgbouncer.host}:${pgbouncer.port}`],
      maxConnections: 2,
      maxMessageBytes: 300_000,
      maxBufferedBytes: 4 * MB,
      maxResultBytes: 100_000,
    })
    neonConfig.fetchEndpoint = `http://${gateway.host}/sql`
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  const tunnel = (at = gateway): Promise<TunnelClient> =>
    new TunnelClient(at, `/v1?address=${server.address}`).open()

  /** Another one, whose deadlines the tests of everything else must not meet on a machine that is slow. */
  const impatient = (limits: BedOptions): Promise<RunningGateway> =>
    start({
      targets: [server.address, ...(pgbouncer ? [`${pgbouncer.host}:${pgbouncer.port}`] : [])],
      ...limits,
    })

  function sql(): ReturnType<typeof neon> {
    if (!pgbouncer) throw new Error('PgBouncer is not installed')
    return neon(bed.url(pgbouncer), { authToken: TOKEN })
  }

  /** Rows are objects here; the driver asks for lists. */
  function post(body: string | ReadableStream<Uint8Array>, at = gateway): Promise<Response> {
    if (!pgbouncer) throw new Error('PgBouncer is not installed')
    return fetch(`http://${at.host}/sql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'neon-connection-string': bed.url(pgbouncer) },
      ...{ body, duplex: 'half' },
    })
  }

  it('closes a tunnel that carries nothing', async () => {
    await using other = await impatient({ idleTimeoutMs: 1_000 })
    const client = await tunnel(other)
    await client.send('something')
    expect(await client.untilClosed()).toEqual({ status: 4408, reason: 'Idle' })
    await server.untilEmpty()
  })

  it('refuses a message that is too long', async () => {
    const client = await tunnel()
    await client.send(new Uint8Array(300_001))
    expect(await client.untilClosed()).toEqual({ status: 1009, reason: 'ERR_GATEWAY_SIZE' })
    await server.untilEmpty()
  })

  it('refuses a body that is too long, also one of unknown length', async () => {
    await expect(sql().query('select length($1)', ['x'.repeat(300_000)])).rejects.toThrow(
      'Server error (HTTP status 413): {"message":"The gateway takes 300000 bytes at once."',
    )
    const response = await fetch(`http://${gateway.host}/sql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'neon-connection-string': 'postgres://x@y/z' },
      body: new Blob(Array.from({ length: 10 }, () => 'x'.repeat(50_000))).stream(),
      duplex: 'half',
    } as RequestInit)
    expect(response.status).toBe(413)
  })

  it('stops at rows that are too many', async () => {
    const rows = sql()`select repeat('x', 1000) as x from generate_series(1, 100000)`
    await expect(rows).rejects.toThrow(
      'Server error (HTTP status 507): {"message":"The rows are more than 100000 bytes."',
    )
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })

  it.each([
    ['names of columns', `select 1 as "${'n'.repeat(60)}" from generate_series(1, 1600)`],
    ['characters that are escaped', "select repeat(E'\\x01', 20000)"],
    ['descriptions of columns', `select ${Array.from({ length: 1_000 }, () => 1)} where false`],
  ])('counts %s, and commits nothing', async (_what, text) => {
    await bed.sql`create table if not exists counted (id int)`
    const queries = ['insert into counted values (1)', text].map((query) => ({ query }))
    const response = await post(JSON.stringify({ queries }))
    expect([response.status, await response.json()]).toEqual([
      507,
      expect.objectContaining({ code: 'ERR_RESULT_SIZE' }),
    ])
    expect(await bed.sql`select id from counted`).toEqual([])
  })

  it.each([
    ['one statement', (text: string) => ({ query: text })],
    [
      'several',
      (text: string) => ({
        queries: [text, '', 'create temp table s (n int) on commit drop', text].map((query) => ({
          query,
        })),
      }),
    ],
  ])('takes an answer of exactly as many bytes as it may have, of %s', async (_what, bodyOf) => {
    const columns = `'{"a":["\\"", 1]}'::json as j, array['x"', null] as "a""b", true, 1.5::float8,
      E'"\\\n\x02é😀' as t, 7 as n, 1e5::numeric, null as z, false as z`
    const ask = async (length: number): Promise<[number, number]> => {
      const padding = `repeat('p', ${length}) as p from generate_series(1, 3)`
      const response = await post(JSON.stringify(bodyOf(`select ${columns}, ${padding}`)))
      return [response.status, (await response.arrayBuffer()).byteLength]
    }
    const [, bytes] = await ask(1_000)
    const [, more] = await ask(1_001)
    const each = more - bytes
    const most = 1_000 + Math.floor((100_000 - bytes) / each)
    const [status, size] = await ask(most)
    expect(status).toBe(200)
    expect(size).toBeGreaterThan(100_000 - each)
    expect((await ask(most + 1))[0]).toBe(507)
  })

  it('gives up on a server that is silent, and stops the statement', async () => {
    await using other = await impatient({ queryTimeoutMs: 500 })
    const response = await post('{"query":"select pg_sleep(30)"}', other)
    expect([response.status, await response.json()]).toEqual([
      504,
      expect.objectContaining({ code: 'ERR_QUERY_TIMEOUT' }),
    ])
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })

  it('refuses more connections than it may have, of either kind', async () => {
    const [first, second] = [await tunnel(), await tunnel()]
    await server.until(({ closed }) => closed === 'no' && server.open === 2)
    const third = await tunnel()
    expect(await third.untilClosed()).toEqual({ status: 1013, reason: 'ERR_GATEWAY_LIMIT' })
    expect(third.head.toString()).toContain('C53300\0MThe gateway has 2 connections already.')
    await expect(sql()`select 1`).rejects.toThrow(/HTTP status 503.*"retryable":true/)
    first.socket.close()
    second.socket.close()
    await server.untilEmpty()
    await expect.poll(() => sql()`select 1 as one`.catch(String)).toEqual([{ one: 1 }])
  })

  it('counts requests whose body is still on its way', async () => {
    const ends: (() => void)[] = []
    const endless = (): ReadableStream<Uint8Array> =>
      new ReadableStream({
        start(controller) {
          const more = (): void => controller.enqueue(new TextEncoder().encode('{'))
          more()
          const arriving = setInterval(more, 100)
          ends.push(() => {
            clearInterval(arriving)
            controller.error(new Error('The client has gone.'))
          })
        },
      })
    const waiting = Array.from({ length: 3 }, () => post(endless()))
    const refused = await Promise.race(waiting)
    expect([refused.status, await refused.json()]).toEqual([
      503,
      expect.objectContaining({ code: 'ERR_GATEWAY_LIMIT', retryable: true }),
    ])
    await expect(sql()`select 1 as one`).rejects.toThrow('ERR_GATEWAY_LIMIT')
    for (const end of ends) end()
    await Promise.allSettled(waiting)
    await expect.poll(() => sql()`select 1 as one`.catch(String)).toEqual([{ one: 1 }])
  })

  it('keeps a bounded part of what a server does not take', async () => {
    await using other = await impatient({ idleTimeoutMs: 3_000, maxBufferedBytes: 4 * MB })
    const client = await tunnel(other)
    const { socket } = await server.until(({ closed }) => closed === 'no')
    socket.pause()
    const { bytes } = pattern(250_000)
    let sent = 0
    const sending = (async () => {
      for (; sent < 400 && client.socket.readyState === 1; sent++) await client.send(bytes)
    })()
    // A hundred megabytes, of which the kernels and the gateway hold a few.
    expect(await client.untilClosed()).toEqual({
      status: 1013,
      reason: expect.stringMatching(/does not keep up$/),
    })
    await sending
    expect(sent * bytes.length).toBeLessThan(60 * MB)
    socket.destroy()
    await server.untilEmpty()
  })
})

describe('a client that does not read', () => {
  it('stops its server, on Node', async () => {
    await using server = await TcpServer.start()
    const [, start] = RUNTIMES[0]
    await using gateway = await start({ targets: [server.address], idleTimeoutMs: 3_000 })
    const client = await new TunnelClient(gateway, `/v1?address=${server.address}`).open()
    const { socket } = await server.until(({ closed }) => closed === 'no')
    client.socket.pause()
    let taken = 0
    const { bytes } = pattern(250_000)
    const more = (): void => {
      if (taken < 400 && !socket.destroyed) socket.write(bytes, () => more())
      taken += 1
    }
    more()
    await server.untilEmpty()
    expect(taken * bytes.length).toBeLessThan(60 * MB)
    expect(gateway.events.at(-1)).toMatchObject({ type: 'close', status: 1013 })
    client.socket.resume()
    await client.untilClosed()
  })
})
