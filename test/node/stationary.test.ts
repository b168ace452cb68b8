import { createPool, type Pool, type PoolOptions } from 'nullpool/stationary'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')

let bed: TestDatabase
let proxy: CountingProxy
const pools: Pool[] = []

beforeAll(async () => {
  bed = await createTestDatabase()
  await bed.sql`create table notes (id int primary key, text text not null)`
})
afterAll(() => bed[Symbol.asyncDispose]())
beforeEach(async () => {
  proxy = await startCountingProxy({ target: postgres })
  await bed.sql`truncate notes`
})
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()))
  await proxy.stop()
})

function open(options: PoolOptions = {}): Pool {
  const pool = createPool({ url: bed.url(proxy), pooler: 'postgres', ...options })
  pools.push(pool)
  return pool
}

describe('a pool', () => {
  it('opens nothing before the first statement, and keeps what it opened', async () => {
    const pool = open()
    expect(pool.stats).toEqual({ size: 0, idle: 0, overflow: 0, waiting: 0 })
    for (let n = 0; n < 5; n += 1) expect(await pool.sql`select ${n}::int as n`).toEqual([{ n }])
    expect(proxy.connections).toHaveLength(1)
    expect(pool.stats).toEqual({ size: 1, idle: 1, overflow: 0, waiting: 0 })
  })

  it('runs a parameterised query in one round trip once it is warm', async () => {
    const pool = open()
    const ask = (n: number) => pool.sql`select ${n}::int as n, 'warm' as state`
    for (let n = 0; n < 3; n += 1) await ask(n)
    proxy.reset()
    for (let n = 0; n < 10; n += 1) await ask(n)
    expect(proxy.turns).toBe(10)
    const [row] = await pool.sql`select count(*)::int as n from pg_prepared_statements`
    expect(row?.n).toBeGreaterThanOrEqual(1)
  })

  it('runs transactions in n + 1 round trips', async () => {
    const pool = open()
    const run = () =>
      pool.transaction(async (sql) => {
        await sql`insert into notes values (${1}, ${'a'}) on conflict do nothing`
        return sql`select count(*)::int as n from notes`
      })
    await run()
    await run()
    proxy.reset()
    expect(await run()).toEqual([{ n: 1 }])
    expect(proxy.turns).toBe(3)
    expect(pool.stats).toMatchObject({ size: 1, idle: 1 })
  })

  it('runs a batch in one round trip, sql.begin, a cursor, a reservation and a COPY', async () => {
    const pool = open()
    const work = () =>
      pool.batch((sql) => [sql`select ${1}::int as one`, sql`select ${'x'}::text as x`])
    await work()
    proxy.reset()
    expect(await work()).toEqual([[{ one: 1 }], [{ x: 'x' }]])
    expect(proxy.turns).toBe(1)
    await pool.sql.begin(async (sql) => {
      await sql`insert into notes values (1, 'one')`
      await sql.savepoint((inner) => inner`insert into notes values (2, 'two')`)
    })
    const seen: number[] = []
    for await (const rows of pool.sql`select id from notes order by id`.cursor(1)) {
      seen.push(...rows.map(({ id }) => id as number))
    }
    expect(seen).toEqual([1, 2])
    const reserved = await pool.sql.reserve()
    await reserved`set application_name to 'mine'`
    expect(await reserved`show application_name`).toEqual([{ application_name: 'mine' }])
    reserved.release()
    await expect.poll(() => pool.stats.idle).toBe(pool.stats.size)
    expect(await pool.sql`show application_name`).toEqual([{ application_name: 'nullpool' }])
    const stream = await pool.sql`copy notes from stdin`.writable()
    await new Promise<void>((resolve, reject) => {
      stream.on('finish', resolve).on('error', reject)
      stream.write('3\tthree\n')
      stream.end('4\tfour\n')
    })
    expect(await pool.sql`select count(*)::int as n from notes`).toEqual([{ n: 4 }])
    expect(proxy.connections).toHaveLength(1)
  })

  it('never opens more than poolSize and maxOverflow, and closes the overflow', async () => {
    const pool = open({ poolSize: 2, maxOverflow: 3, closeTimeoutMs: 20_000 })
    let most = 0
    const work = Array.from({ length: 500 }, async (_, n) => {
      const [row] = await pool.sql`select ${n}::int as n, pg_sleep(0.001)`
      most = Math.max(most, pool.stats.size, proxy.connections.filter(({ open }) => open).length)
      return row?.n
    })
    expect(pool.stats.waiting).toBe(0)
    expect(await Promise.all(work)).toEqual(Array.from({ length: 500 }, (_, n) => n))
    expect(most).toBeLessThanOrEqual(5)
    await expect.poll(() => pool.stats).toEqual({ size: 2, idle: 2, overflow: 0, waiting: 0 })
  })
})
