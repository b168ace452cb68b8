import { Client, neonConfig, Pool } from '@neondatabase/serverless'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { RUNTIMES, type RunningGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, ca } = inject('servers')

/** Brings the token as a browser can. */
class WithSubprotocol extends WebSocket {
  constructor(url: string) {
    super(url, ['nullpool', `bearer.${TOKEN}`])
  }
}

describe.skipIf(!pgbouncer).each(RUNTIMES)('Pool over the tunnel on %s', (_name, start) => {
  let bed: TestDatabase
  let gateway: RunningGateway
  let pool: Pool
  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    await bed.sql`create table books (title text primary key)`
    gateway = await start({ targets: [`${pgbouncer.host}:${pgbouncer.port}`] })
    neonConfig.useSecureWebSocket = false
    // PgBouncer asks for SCRAM; Neon's one-flight login is for passwords in clear.
    neonConfig.pipelineConnect = false
    neonConfig.wsProxy = (host, port) => `${gateway.host}/v2?address=${host}:${port}`
    neonConfig.webSocketConstructor = WithSubprotocol
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    if (pgbouncer) pool = new Pool({ connectionString: bed.url(pgbouncer), max: 4 })
  })
  afterEach(() => pool?.end())

  it('queries', async () => {
    const { rows } = await pool.query('select $1::int + 1 as sum', [41])
    expect(rows).toEqual([{ sum: 42 }])
  })

  it('runs transactions, and takes them back', async () => {
    const client = await pool.connect()
    await client.query('begin')
    await client.query('insert into books values ($1)', ['Dune'])
    await client.query('commit')
    await client.query('begin')
    await client.query('insert into books values ($1)', ['Emma'])
    await client.query('rollback')
    client.release()
    expect((await pool.query('select title from books')).rows).toEqual([{ title: 'Dune' }])
  })

  it('passes on errors, and goes on', async () => {
    await expect(pool.query('selekt 1')).rejects.toMatchObject({ code: '42601', position: '1' })
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  it('serves several at once', async () => {
    const all = Array.from({ length: 12 }, (_, n) => pool.query('select $1::int as n', [n]))
    const results = await Promise.all(all)
    expect(results.map(({ rows }) => rows[0].n)).toEqual(Array.from({ length: 12 }, (_, n) => n))
  })

  it('carries large values both ways', async () => {
    const text = 'x'.repeat(3_000_000)
    const { rows } = await pool.query('select $1::text as text, length($1) as length', [text])
    expect(rows[0].length).toBe(text.length)
    expect(rows[0].text === text).toBe(true)
  })

  it('says goodbye, so that the pooler has nobody left', async () => {
    await pool.query('select 1')
    await pool.end()
    pool = new Pool()
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })

  it('loses its server when the client goes without goodbye', async () => {
    if (!pgbouncer) throw new Error('PgBouncer is not installed')
    const client = new Client(bed.url(pgbouncer))
    client.on('error', () => undefined)
    await client.connect()
    await client.query('begin')
    await client.query('select 1')
    expect(await bed.pooledClients()).toBe(1)
    const { ws } = (client as unknown as { connection: { stream: { ws: WebSocket } } }).connection
      .stream
    ws.close()
    await expect.poll(() => bed.pooledClients()).toBe(0)
    await expect.poll(() => bed.idleInTransaction()).toBe(0)
  })

  it('says what is wrong with a login in the words of the server', async () => {
    if (!pgbouncer) throw new Error('PgBouncer is not installed')
    const wrong = new Pool({ connectionString: bed.url(pgbouncer, { password: 'wrong' }) })
    await expect(wrong.query('select 1')).rejects.toThrow('SASL authentication failed')
    await wrong.end()
  })
})

describe.skipIf(!pgbouncer)('the TLS of the gateway', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    neonConfig.webSocketConstructor = WithSubprotocol
    neonConfig.useSecureWebSocket = false
    neonConfig.pipelineConnect = false
  })
  afterAll(() => bed[Symbol.asyncDispose]())

  async function encryption(path: string, tls: object | string, address = ''): Promise<unknown> {
    if (!pgbouncer) throw new Error('PgBouncer is not installed')
    const { servers } = bed
    const { port } = servers.postgres
    const [, startNode] = RUNTIMES[0]
    const target = address || `localhost:${port}`
    await using gateway = await startNode({ targets: [{ address: target, tls: tls as 'verify' }] })
    neonConfig.wsProxy = () => `${gateway.host}${path}?address=${target}`
    const pool = new Pool({ connectionString: bed.url(servers.postgres) })
    try {
      const { rows } = await pool.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')
      return rows[0].ssl
    } finally {
      await pool.end()
    }
  }

  it('is spoken on /v2, verified', async () => {
    expect(await encryption('/v2', { ca })).toBe(true)
    await expect(encryption('/v2', 'verify')).rejects.toMatchObject({
      code: '08001',
      message: expect.stringMatching(/certificate of localhost:\d+ is not trusted/),
    })
  })

  it('is spoken for /sql too', async () => {
    const { port } = bed.servers.postgres
    const [, startNode] = RUNTIMES[0]
    await using gateway = await startNode({
      targets: [{ address: `localhost:${port}`, tls: { ca } }],
    })
    const url = bed.url({ host: 'localhost', port }, { query: '?sslmode=disable' })
    const response = await fetch(`http://${gateway.host}/sql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'neon-connection-string': url },
      body: '{"query":"select ssl from pg_stat_ssl where pid = pg_backend_pid()"}',
    })
    expect(await response.json()).toMatchObject({ rows: [{ ssl: true }] })
  })

  it('is left out where that is said by name, and only then', async () => {
    expect(await encryption('/v2', 'disable')).toBe(false)
    expect(await encryption('/v1', 'disable')).toBe(false)
    await expect(encryption('/v1', { ca })).rejects.toMatchObject({
      code: '08004',
      message: expect.stringMatching(/^On \/v1 this would reach localhost:\d+ in clear\.$/),
    })
  })
})
