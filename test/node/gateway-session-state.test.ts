import { Client, neonConfig, Pool } from '@neondatabase/serverless'
import type { GatewayTarget } from 'nullpool/gateway'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { type BedOptions, RUNTIMES, type RunningGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'
import { openTunnelDoor, type TunnelDoor } from '../support/tunnel-door.ts'
import { WireClient } from '../support/wire-client.ts'
import * as wire from '../support/wire-messages.ts'

const { pgbouncer, ca } = inject('servers')

class WithSubprotocol extends WebSocket {
  constructor(url: string) {
    super(url, ['nullpool', `bearer.${TOKEN}`])
  }
}

/** What the server says of a statement that needs a session. */
const REFUSED = {
  code: '0A000',
  hint: expect.stringMatching(/^Connect in session mode or to Postgres itself \(port 5432\)/),
  detail: 'ERR_SESSION_STATE of nullpool/gateway',
}

function pooler(): { host: string; port: number } {
  if (!pgbouncer) throw new Error('PgBouncer is not installed')
  return pgbouncer
}

function target(guard?: GatewayTarget['guard']): BedOptions {
  const { host, port } = pooler()
  const how: Partial<GatewayTarget> = guard ? { guard } : { pooler: 'pgbouncer' }
  return { targets: [{ address: `${host}:${port}`, ...how }] }
}

function through(gateway: RunningGateway): void {
  neonConfig.useSecureWebSocket = false
  neonConfig.pipelineConnect = false
  neonConfig.wsProxy = (host, port) => `${gateway.host}/v2?address=${host}:${port}`
  neonConfig.webSocketConstructor = WithSubprotocol
}

describe.skipIf(!pgbouncer).each(RUNTIMES)('a session in a tunnel on %s', (_name, start) => {
  let bed: TestDatabase
  let gateway: RunningGateway
  let pool: Pool
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table books (title text primary key)`
    gateway = await start(target())
    through(gateway)
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    pool = new Pool({ connectionString: bed.url(pooler()), max: 1 })
    // A gateway that is stopped says no goodbye.
    pool.on('error', () => undefined)
  })
  afterEach(() => pool.end())

  it.each([
    ['LISTEN jobs', 'A statement listens; behind a transaction-mode pooler'],
    ["SET work_mem = '1MB'", 'A statement makes a setting that stays;'],
    ['select pg_advisory_lock(1)', 'A statement takes or gives back an advisory lock'],
    ['select 1; listen jobs; select 2', 'A statement listens;'],
    ['create temp table t (n int)', 'A statement makes a temporary object that stays;'],
  ])('is refused to %s, and the connection goes on', async (text, message) => {
    const refusal = { ...REFUSED, message: expect.stringContaining(message) }
    await expect(pool.query(text)).rejects.toMatchObject(refusal)
    expect((await pool.query('select $1::int as n', [1])).rows).toEqual([{ n: 1 }])
  })

  it('is refused to statements with values, named and not, as often as they come', async () => {
    const client = await pool.connect()
    const text = 'select pg_advisory_lock($1), $2::text'
    for (const n of [1, 2]) {
      await expect(client.query(text, [n, 'x'])).rejects.toMatchObject(REFUSED)
    }
    await client.query('begin')
    const named = client.query({ name: 'lock', text, values: [3, 'y'] })
    await expect(named).rejects.toMatchObject(REFUSED)
    await client.query('rollback')
    const { rows } = await client.query(
      'select count(*)::int as n from pg_locks where locktype = $1',
      ['advisory'],
    )
    expect(rows).toEqual([{ n: 0 }])
    client.release()
  })

  it('is refused inside of a transaction, which then is rolled back', async () => {
    const client = await pool.connect()
    await client.query('begin')
    await client.query('insert into books values ($1)', ['Dune'])
    await expect(client.query('listen jobs')).rejects.toMatchObject(REFUSED)
    await expect(client.query('select 1')).rejects.toMatchObject({ code: '25P02' })
    expect((await client.query('commit')).command).toBe('ROLLBACK')
    await client.query('begin')
    await client.query('savepoint here')
    await expect(client.query('listen jobs')).rejects.toMatchObject(REFUSED)
    await client.query('rollback to here')
    await client.query('insert into books values ($1)', ['Emma'])
    await client.query('commit')
    expect((await client.query('select title from books')).rows).toEqual([{ title: 'Emma' }])
    await client.query('delete from books')
    client.release()
  })

  it('is not needed for what ends with its transaction', async () => {
    const client = await pool.connect()
    await client.query('begin')
    await client.query("set local work_mem = '1234kB'")
    await client.query("select set_config('a.b', $1, true), pg_advisory_xact_lock(2)", ['c'])
    await client.query('create temp table t (n int) on commit drop')
    const { rows } = await client.query('show work_mem')
    expect(rows).toEqual([{ work_mem: '1234kB' }])
    await client.query('commit')
    client.release()
  })

  it('is not looked for in texts that are long', async () => {
    const long = `set work_mem = '1234kB' --${'x'.repeat(1_100_000)}`
    expect((await pool.query(long)).command).toBe('SET')
    await pool.query(`reset all --${'x'.repeat(1_100_000)}`)
  })
})

/** PgBouncer takes no login in pieces. */
const isLogin = (bytes: Buffer): boolean => bytes[0] === 0 || bytes[0] === 0x70
const single = (byte: number): Buffer => Buffer.from([byte])

const CUTS: [string, (bytes: Buffer) => Buffer[]][] = [
  ['as they come', (bytes) => [bytes]],
  ['cut at every byte', (bytes) => (isLogin(bytes) ? [bytes] : [...bytes].map(single))],
]

describe.skipIf(!pgbouncer).each(CUTS)('pipelines in a tunnel, %s', (_name, cut) => {
  let bed: TestDatabase
  let gateway: RunningGateway
  let door: TunnelDoor
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table books (title text primary key)`
    const [, start] = RUNTIMES[0]
    gateway = await start(target())
    const { host, port } = pooler()
    door = await openTunnelDoor(gateway, `/v1?address=${host}:${port}`, cut)
  })
  afterAll(async () => {
    await door?.[Symbol.asyncDispose]()
    await gateway?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  async function login(): Promise<WireClient> {
    const { user, password } = bed.servers.postgres
    const client = await WireClient.connect(door)
    await client.login({ user, password, database: bed.name })
    return client
  }

  /** The tags of an answer, with the SQLSTATE of an error and the status of the end. */
  async function answer(client: WireClient): Promise<string> {
    const frames = await client.until('Z')
    const told = frames.map(({ tag, payload }) => {
      if (tag === 'E') return `E${wire.errorFields(payload).C}`
      return tag === 'Z' ? `Z${payload}` : tag
    })
    return told.filter((tag) => tag !== 'S').join(' ')
  }

  it('fail where they would at any error, and go on behind the Sync', async () => {
    const client = await login()
    client.send(
      wire.extended('select 1'),
      wire.extended('select pg_advisory_lock($1)', ['7']),
      wire.extended('select 2'),
      wire.sync,
      wire.extended('select $1::int', ['3']),
      wire.sync,
    )
    expect(await answer(client)).toBe('1 2 T D C 1 2 n E0A000 ZI')
    expect(await answer(client)).toBe('1 2 T D C ZI')
    client.send(wire.parse('listen jobs'), wire.describeStatement, wire.sync)
    expect(await answer(client)).toBe('1 t n ZI')
    client.destroy()
  })

  it('keep the state of their transaction', async () => {
    const client = await login()
    client.send(wire.query('begin'), wire.query('select 1'), wire.query('listen jobs'))
    client.send(wire.query('select 2'), wire.query('rollback'), wire.query('select 3'))
    const answers = ['C ZT', 'T D C ZT', 'E0A000 ZE', 'E25P02 ZE', 'C ZI', 'T D C ZI']
    for (const expected of answers) expect(await answer(client)).toBe(expected)
    client.destroy()
  })

  it('copy, and read what comes behind', async () => {
    const client = await login()
    const lines = Array.from({ length: 50 }, (_, n) => wire.message('d', Buffer.from(`Q${n}\n`)))
    client.send(wire.query('copy books from stdin'))
    await client.until('G')
    client.send(...lines, wire.message('c'))
    expect(await answer(client)).toBe('C ZI')
    client.send(wire.query('listen jobs'), wire.query('delete from books'))
    expect(await answer(client)).toBe('E0A000 ZI')
    expect(await answer(client)).toBe('C ZI')
    client.destroy()
  })

  it('are not read inside of TLS', async () => {
    const client = await WireClient.connect(door)
    client.send(wire.sslRequest)
    expect(await client.byte()).toBe('S')
    await client.startTls(ca)
    const { user, password } = bed.servers.postgres
    await client.login({ user, password, database: bed.name })
    client.send(wire.query('unlisten jobs'))
    expect(await answer(client)).toBe('C ZI')
    client.destroy()
  })

  it('are those of postgres.js too', async () => {
    const sql = postgres(bed.url(door), { max: 1, prepare: false, fetch_types: false })
    const [one, refused, two] = await Promise.allSettled([
      sql`select ${1}::int as n`,
      sql`select pg_advisory_lock(${5})`,
      sql`select ${2}::int as n`,
    ])
    expect(one).toMatchObject({ value: [{ n: 1 }] })
    expect(refused).toMatchObject({ reason: REFUSED })
    expect(two).toMatchObject({ value: [{ n: 2 }] })
    await sql.end()
  })
})

describe.skipIf(!pgbouncer)('the guard of a target', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
  })
  afterAll(() => bed?.[Symbol.asyncDispose]())

  async function ask(options: BedOptions, text: string): Promise<[unknown, RunningGateway]> {
    const [, start] = RUNTIMES[0]
    await using gateway = await start(options)
    through(gateway)
    const client = new Client(bed.url(pooler()))
    await client.connect()
    const answered = await client.query(text).then(
      ({ command }) => command,
      ({ code }) => code,
    )
    await client.end()
    await expect.poll(() => gateway.events.at(-1)).toMatchObject({ type: 'close' })
    return [answered, gateway]
  }

  it("lets statements pass that is 'off'", async () => {
    const [answered, { events }] = await ask(target('off'), 'unlisten jobs')
    expect(answered).toBe('UNLISTEN')
    expect(events.map(({ type }) => type)).toEqual(['open', 'close'])
  })

  it("tells of them that is 'warn', as where nothing is known", async () => {
    const { host, port } = pooler()
    const address = `${host}:${port}`
    for (const options of [target('warn'), { targets: [address] }]) {
      const [answered, { events }] = await ask(options, 'unlisten secret_jobs')
      expect(answered).toBe('UNLISTEN')
      const warning = {
        ...{ type: 'warning', path: '/v2', target: address, code: 'ERR_SESSION_STATE' },
        message:
          "A statement listens; behind a transaction-mode pooler the session is somebody else's a moment later.",
      }
      expect(events.slice(1, -1)).toEqual([warning])
    }
  })

  it('tells of those that it refuses, without a word of theirs', async () => {
    const [answered, { events }] = await ask(target('throw'), 'unlisten secret_jobs')
    expect(answered).toBe('0A000')
    expect(events[1]).toMatchObject({ type: 'refused', path: '/v2', code: 'ERR_SESSION_STATE' })
    expect(JSON.stringify(events)).not.toContain('secret_jobs')
  })
})
