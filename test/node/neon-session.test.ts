import { Client, neonConfig } from '@neondatabase/serverless'
import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { neonClient, neonPool } from 'nullpool/neon'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { makeLibrary } from '../support/library-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('a session of Neon’s driver', () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  beforeAll(async () => {
    bed = await createTestDatabase()
    await makeLibrary(bed.sql)
    if (pgbouncer) proxy = await startCountingProxy({ target: pgbouncer })
  })
  afterEach(async () => {
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    proxy.reset()
    await bed.sql`truncate books, authors`
  })
  afterAll(async () => {
    await proxy.stop()
    await bed[Symbol.asyncDispose]()
  })
  const open = (options: DatabaseOptions = {}): Scope =>
    createDatabase({ url: bed.url(proxy), pooler: 'pgbouncer', ...options }).scope()
  const titles = async (): Promise<unknown[]> =>
    (await bed.sql`select title from books order by title`).map(({ title }) => title)

  it('commits, rolls back, nests by savepoints', async () => {
    await using scope = open()
    const client = neonClient(scope)
    const add = (title: string): Promise<unknown> =>
      client.query('insert into books (title) values ($1)', [title])
    await client.query('begin')
    await add('one')
    await client.query('savepoint here')
    await add('undone')
    await client.query('rollback to here')
    await client.query('commit')
    await client.query('begin isolation level serializable')
    await add('undone')
    await client.query('rollback')
    expect(await titles()).toEqual(['one'])
    await client.query('begin')
    await expect(add('one')).rejects.toMatchObject({ code: '23505' })
    await expect(client.query('commit')).rejects.toMatchObject({
      name: 'NullpoolError',
      code: 'ERR_TRANSACTION_ROLLED_BACK',
      outcome: 'rolled back',
    })
    await add('two')
    expect(await titles()).toEqual(['one', 'two'])
  })

  it('rolls back what is released or ended inside of a transaction', async () => {
    await using scope = open()
    const pool = neonPool(scope)
    const lent = await pool.connect()
    await lent.query('begin')
    await lent.query(`insert into books (title) values ('undone')`)
    lent.release()
    const { rows } = await pool.query('select count(*)::int as n from books')
    expect(rows).toEqual([{ n: 0 }])
    const client = neonClient(scope)
    await client.query('begin')
    await client.query(`insert into books (title) values ('undone')`)
    await client.end()
    expect((await pool.query('select count(*)::int as n from books')).rows).toEqual([{ n: 0 }])
    expect(scope.metrics.connects).toBe(1)
  })

  it('gives a pool as many clients as it wants, on one connection', async () => {
    await using scope = open()
    const pool = neonPool(scope)
    const all = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const { rows } = await pool.query('select $1::int as n, pg_backend_pid() as pid', [n])
        return rows[0].n
      }),
    )
    expect(all).toEqual(Array.from({ length: 20 }, (_, n) => n))
    const held = await Promise.all(Array.from({ length: 12 }, () => pool.connect()))
    expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    for (const client of held) client.release()
    await pool.end()
    expect(await scope.sql`select 1 as n`).toEqual([{ n: 1 }])
    expect(scope.metrics.connects).toBe(1)
    expect(proxy.connections).toHaveLength(1)
    await expect(pool.query('select 1')).rejects.toThrow(/after calling end/)
  })

  it('leaves the connection to others at its end', async () => {
    await using scope = open()
    const client = neonClient(scope)
    await client.query('select 1')
    await client.end()
    await client.end()
    await expect(client.query('select 1')).rejects.toThrow(/closed/)
    expect((await neonClient(scope).query('select 2 as n')).rows).toEqual([{ n: 2 }])
    expect(await scope.sql`select 3 as n`).toEqual([{ n: 3 }])
    const leaving = neonClient(scope)
    const slow = leaving.query('select pg_sleep(0.05)')
    await Promise.all([expect(slow).rejects.toThrow(/terminated/), leaving.end()])
    expect(await scope.sql`select 4 as n`).toEqual([{ n: 4 }])
    expect(scope.metrics.connects).toBe(1)
  })

  it('reads rows in portions, no more than are asked for', async () => {
    await using scope = open()
    const client = neonClient(scope)
    const config = { text: 'select generate_series(1, $1::int) as n', values: [1_000], rows: 100 }
    const { turns } = proxy
    expect((await client.query(config)).rows).toHaveLength(1_000)
    // The server waits behind each portion, and has nothing to say before it is asked again.
    expect(proxy.turns - turns).toBeGreaterThanOrEqual(10)
    const { Query } = Client as unknown as { Query: new (config: object) => Submitted }
    const query = new Query(config)
    const seen: number[] = []
    query.on('row', ({ n }: { n: number }) => seen.push(n))
    const ended = new Promise((resolve, reject) => query.on('end', resolve).on('error', reject))
    client.query(query as never)
    await ended
    expect(seen).toHaveLength(1_000)
    const failing = new Query({ text: 'select 1 / (3 - n) from generate_series(1, 9) n' })
    const failed = new Promise((resolve) => failing.on('error', resolve))
    client.query(failing as never)
    expect(await failed).toMatchObject({ code: '22012' })
    expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
  })

  it('ends a COPY, for which the driver has nothing', async () => {
    await using scope = open()
    const client = neonClient(scope)
    await expect(client.query('copy authors from stdin')).rejects.toMatchObject({ code: '57014' })
    await client.query(`insert into authors (name) values ('Frank')`)
    expect(await client.query('copy authors to stdout')).toMatchObject({ rows: [], rowCount: 1 })
    expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
  })

  it('cancels as pg does, on a connection of its own', async () => {
    await using scope = open()
    interface Cancelling extends Client {
      cancel(client: Client, query: unknown): void
    }
    const { Query } = Client as unknown as { Query: new (text: string) => Submitted }
    const client = neonClient(scope)
    await client.query('select 1')
    const query = new Query('select pg_sleep(60)')
    const failed = new Promise((resolve) => query.on('error', resolve))
    client.query(query as never)
    // A request to cancel that comes before its statement stops nothing.
    await expect
      .poll(
        () => bed.sql`select from pg_stat_activity where datname = current_database()
          and state = 'active' and query = 'select pg_sleep(60)'`,
      )
      .toHaveLength(1)
    ;(neonClient(scope) as Cancelling).cancel(client, query)
    expect(await failed).toMatchObject({ code: '57014' })
    expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
  })

  it('looks at no setting of the module, and changes none', async () => {
    const before = { ...neonConfig }
    class Trap {
      constructor() {
        throw new Error('A WebSocket was opened.')
      }
    }
    Object.assign(neonConfig, {
      webSocketConstructor: Trap,
      poolQueryViaFetch: true,
      fetchFunction: () => Promise.reject(new Error('It was fetched.')),
      forceDisablePgSSL: false,
      pipelineTLS: true,
      wsProxy: () => {
        throw new Error('An address was asked for.')
      },
    })
    try {
      await using scope = open()
      const pool = neonPool(scope)
      const client = neonClient(scope)
      expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      expect(neonConfig.webSocketConstructor).toBe(Trap)
    } finally {
      for (const key of ['webSocketConstructor', 'wsProxy', 'fetchFunction'] as const) {
        Object.assign(neonConfig, { [key]: undefined })
      }
      Object.assign(neonConfig, {
        poolQueryViaFetch: false,
        forceDisablePgSSL: true,
        pipelineTLS: false,
      })
    }
    expect(before).toBeDefined()
  })
})

interface Submitted {
  // biome-ignore lint/suspicious/noExplicitAny: as the driver declares it
  on(event: string, listener: (value: any) => void): Submitted
}
