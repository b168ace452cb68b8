import { Hono } from 'hono'
import { createDatabase, type DatabaseOptions, type NullpoolEvent, type Scope } from 'nullpool'
import { nullpool } from 'nullpool/hono'
import { neonClient, neonPool } from 'nullpool/neon'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { failureOf } from '../support/fault-bed.ts'
import { claimsOf, makeSupabaseSchema, userId } from '../support/supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('Neon’s driver in a scope', () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  beforeAll(async () => {
    bed = await createTestDatabase()
    await makeSupabaseSchema(bed.sql)
    await bed.sql`create table marks (n int)`
    if (pgbouncer) proxy = await startCountingProxy({ target: pgbouncer })
  })
  afterEach(async () => {
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    proxy.reset()
    await bed.sql`truncate notes, marks`
  })
  afterAll(async () => {
    await proxy.stop()
    await bed[Symbol.asyncDispose]()
  })
  const database = (options: DatabaseOptions = {}) =>
    createDatabase({ url: bed.url(proxy), pooler: 'pgbouncer', ...options })
  const open = (options: DatabaseOptions = {}): Scope => database(options).scope()

  it('refuses names and listening, and everything else that needs a session', async () => {
    await using scope = open()
    const client = neonClient(scope)
    const named = { name: 'mine', text: 'select $1::int as n', values: [1] }
    expect(await failureOf(client.query(named))).toMatchObject({ code: 'ERR_PREPARED_STATEMENT' })
    expect(await failureOf(client.query(named))).toMatchObject({ code: 'ERR_PREPARED_STATEMENT' })
    const listening = await failureOf(client.query('LISTEN news'))
    expect(listening).toMatchObject({ code: 'ERR_SESSION_STATE', retryable: false })
    expect(listening.message).toMatch(/^LISTEN needs a connection of its own/)
    expect(listening.hint).toContain('5432')
    const setting = await failureOf(client.query('set search_path to other'))
    expect(setting).toMatchObject({ code: 'ERR_SESSION_STATE', retryable: false })
    expect(setting.hint).toContain('SET LOCAL')
    expect(setting.message.match(/SET LOCAL/g)).toHaveLength(1)
    expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
  })

  it('refuses to listen also where there is a session, and warns where that is asked for', async () => {
    const events: NullpoolEvent[] = []
    const options = { pooler: 'postgres', onEvent: (event: NullpoolEvent) => events.push(event) }
    await using direct = open({ ...options, guard: 'warn' } as DatabaseOptions)
    const client = neonClient(direct)
    expect(await failureOf(client.query('listen news'))).toMatchObject({
      code: 'ERR_SESSION_STATE',
    })
    await client.query(`select set_config('search_path', 'public', false)`)
    expect(events).toContainEqual(expect.objectContaining({ code: 'ERR_SESSION_STATE' }))
  })

  it('runs under claims, transactions and pools too', async () => {
    await bed.sql`insert into notes (owner, body) values (${userId(1)}, 'one'), (${userId(2)}, 'two')`
    await using scope = open()
    const bodies = 'select body, current_user as role from notes'
    const one = neonClient(scope.as(claimsOf(1)))
    const two = neonPool(scope.as(claimsOf(2)))
    const inTransaction = async (): Promise<unknown> => {
      const client = await two.connect()
      await client.query('begin isolation level serializable')
      const { rows } = await client.query(`${bodies} where body <> $1`, ['none'])
      await client.query('commit')
      client.release()
      return rows
    }
    const all = await Promise.all([
      one.query(bodies).then(({ rows }) => rows),
      inTransaction(),
      neonClient(scope.as(null)).query('select count(*)::int as n from notes'),
      neonClient(scope).query('select count(*)::int as n from notes'),
      one.query(`${bodies} where body = $1`, ['two']).then(({ rows }) => rows),
    ])
    expect(all).toMatchObject([
      [{ body: 'one', role: 'authenticated' }],
      [{ body: 'two', role: 'authenticated' }],
      { rows: [{ n: 0 }] },
      { rows: [{ n: 2 }] },
      [],
    ])
    expect(await failureOf(one.query('set local role postgres'))).toMatchObject({
      code: 'ERR_CLAIMS',
    })
    expect(scope.metrics.connects).toBe(1)
  })

  it('is over with its scope: what waits fails, and whatever comes', async () => {
    const scope = open()
    const client = neonClient(scope)
    const pool = neonPool(scope)
    await client.query('select 1')
    const running = client.query('select pg_sleep(0.1)')
    const waiting = [client.query('select 1'), pool.query('select 1')]
    const failures = Promise.all(waiting.map((each) => failureOf(each)))
    const cut = failureOf(running)
    await scope.close()
    expect((await cut).code).toBe('ERR_SCOPE_CLOSED')
    for (const failing of [
      client.query('select 1'),
      pool.query('select 1'),
      pool.connect(),
      neonClient(scope).connect(),
    ]) {
      expect(await failureOf(failing)).toMatchObject({ code: 'ERR_SCOPE_CLOSED' })
    }
    expect((await failures).map(({ code }) => code)).toEqual([
      'ERR_SCOPE_CLOSED',
      'ERR_SCOPE_CLOSED',
    ])
    const called = await new Promise((resolve) => client.query('select 1', resolve))
    expect(called).toMatchObject({ code: 'ERR_SCOPE_CLOSED' })
    await Promise.all([client.end(), pool.end()])
  })

  it('is over in the very turn in which its request is, but for what has begun in it', async () => {
    let late: Promise<unknown> = Promise.resolve()
    const [client, pool, scope] = await database().run({}, async (scope) => {
      const [client, pool] = [neonClient(scope), neonPool(scope)]
      await client.query('select 1')
      late = pool.query('insert into marks values (1)').then(() => pool.query('table marks'))
      return [client, pool, scope] as const
    })
    const unused = await database().run({}, async (scope) => neonPool(scope))
    const askedLate = async (): Promise<unknown> => scope.sql`select 1`
    const failures = await Promise.all(
      [
        client.query('select 1'),
        pool.query('select 1'),
        pool.connect(),
        neonClient(scope).connect(),
        unused.query('select 1'),
        askedLate(),
      ].map((each) => failureOf(each)),
    )
    expect(failures.map(({ code }) => code)).toEqual(failures.map(() => 'ERR_SCOPE_CLOSED'))
    expect(await late).toMatchObject({ rows: [{ n: 1 }] })
  })

  it('belongs to its request, also while that is busy', async () => {
    const lent = Promise.withResolvers<ReturnType<typeof make>>()
    const used = Promise.withResolvers<void>()
    const use = (work: (clients: ReturnType<typeof make>) => Promise<void>): Promise<void> =>
      database().run({}, async (scope) => work(make(scope)))
    const make = (scope: Scope) => ({ client: neonClient(scope), pool: neonPool(scope) })
    const owner = use(async (own) => {
      await own.client.query('select 1')
      await own.pool.query('select 1')
      const running = own.client.query('select pg_sleep(0.1)')
      lent.resolve(own)
      await Promise.all([running, used.promise])
      expect((await own.client.query('select 2 as n')).rows).toEqual([{ n: 2 }])
    })
    await use(async () => {
      const { client, pool } = await lent.promise
      for (const failing of [client.query('select 1'), pool.query('select 1'), pool.connect()]) {
        expect(await failureOf(failing)).toMatchObject({ code: 'ERR_SCOPE_FOREIGN' })
      }
      used.resolve()
    })
    await owner
  })

  it('stops with the client of the request', async () => {
    const leaving = new AbortController()
    const scope = database().scope({ signal: leaving.signal })
    const client = neonClient(scope)
    await client.query('select 1')
    const failing = failureOf(client.query('select pg_sleep(60)'))
    await proxy.until(({ turns }) => turns >= 3)
    leaving.abort()
    expect(await failing).toMatchObject({ code: 'ERR_ABORTED' })
  })

  it.each([200, 500] as const)(
    'is part of a request that is a transaction, status %i',
    async (status) => {
      const app = new Hono()
        .use(nullpool({ url: bed.url(proxy), pooler: 'pgbouncer', transaction: true }))
        .get('/:first', async (c) => {
          const client = neonClient(c.var.db)
          const pool = neonPool(c.var.db)
          const add = (n: number): Promise<unknown> =>
            client.query('insert into marks values ($1)', [n])
          if (c.req.param('first') === 'raw') await c.var.sql`insert into marks values (0)`
          else await add(0)
          await c.var.sql`insert into marks values (1)`
          await pool.query('insert into marks values (2)')
          await client.query('begin')
          await add(3)
          await client.query('commit')
          await client.query('begin')
          await add(4)
          await client.query('rollback')
          const lent = await pool.connect()
          await lent.query('begin')
          await lent.query('insert into marks values (5)')
          lent.release()
          expect(await failureOf(client.query('begin read only'))).toMatchObject({
            code: 'ERR_OPTIONS',
          })
          await expect(client.query('commit')).rejects.toMatchObject({ code: '2D000' })
          const counted = await pool.query('select array_agg(n order by n) as all from marks')
          expect(counted.rows).toEqual([{ all: [0, 1, 2, 3] }])
          await client.end()
          await pool.end()
          expect(await c.var.sql`select count(*)::int as n from marks`).toEqual([{ n: 4 }])
          return c.text('done', status)
        })
      for (const first of ['raw', 'neon']) {
        expect(await (await app.request(`/${first}`)).text()).toBe('done')
        await proxy.until(({ connections }) => connections.every(({ open: isOpen }) => !isOpen))
        expect(await bed.sql`select 1 from marks`).toHaveLength(status === 200 ? 4 : 0)
        await bed.sql`truncate marks`
      }
    },
  )

  it('commits a request in which nothing but it was used', async () => {
    const app = new Hono()
      .use(nullpool({ url: bed.url(proxy), pooler: 'pgbouncer', transaction: true }))
      .get('/', async (c) => {
        await neonPool(c.var.db).query('insert into marks values ($1)', [1])
        return c.text('done')
      })
    expect((await app.request('/')).status).toBe(200)
    await proxy.until(({ connections }) => connections.every(({ open: isOpen }) => !isOpen))
    expect(await bed.sql`select n from marks`).toEqual([{ n: 1 }])
    // Login, statement with BEGIN, COMMIT, goodbye.
    expect(proxy.turns).toBe(4)
  })
})
