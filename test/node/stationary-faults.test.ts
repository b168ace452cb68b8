import { rm } from 'node:fs/promises'
import { createPool } from 'nullpool/stationary'
import { describe, expect, it } from 'vitest'
import { findFreePort } from '../../src/cli/free-port.ts'
import { startPostgres } from '../../src/cli/postgres-server.ts'
import { CLOSINGS, failureOf } from '../support/fault-bed.ts'
import { makeFolder } from '../support/local-machine.ts'
import { usePoolBed } from '../support/pool-bed.ts'

describe('a connection of a pool that breaks', () => {
  const bed = usePoolBed('create table written (n int)')

  it.each(CLOSINGS)('while nobody uses it is replaced, and nobody notices (%s)', async (how) => {
    const pool = bed.open({ poolSize: 2 })
    await Promise.all([pool.sql`select pg_sleep(0.01)`, pool.sql`select pg_sleep(0.01)`])
    expect(pool.stats.size).toBe(2)
    bed.proxy.cutAll(how)
    await expect.poll(() => pool.stats.size).toBe(0)
    expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
    expect(bed.proxy.connections).toHaveLength(3)
  })

  it('while nobody uses it, in silence, is found by the ping and replaced', async () => {
    const pool = bed.open({ pingAfterIdleMs: 0, connectTimeoutMs: 3_000 })
    await pool.sql`insert into written values (1)`
    bed.proxy.stall()
    await pool.sql`insert into written values (2)`
    expect(await bed.database.sql`select n from written order by n`).toEqual([{ n: 1 }, { n: 2 }])
    expect(bed.proxy.connections).toHaveLength(2)
    expect(pool.stats).toEqual({ size: 1, idle: 1, overflow: 0, waiting: 0 })
  })

  it('costs one trip more where it is asked every time, and none where it was just used', async () => {
    const pool = bed.open({ pingAfterIdleMs: 0 })
    const usual = bed.open()
    for (const each of [pool, usual]) for (let n = 0; n < 3; n += 1) await each.sql`select 1`
    bed.proxy.reset()
    await pool.sql`select 1`
    expect(bed.proxy.turns).toBe(2)
    bed.proxy.reset()
    await usual.sql`select 1`
    expect(bed.proxy.turns).toBe(1)
  })

  it.each(CLOSINGS)(
    'under a statement fails it once and never sends it again (%s)',
    async (how) => {
      const pool = bed.open()
      await bed.database.sql`truncate written`
      await pool.sql`select 1`
      const sent: number[] = []
      bed.proxy.inject({
        when({ direction, bytes, connection }) {
          const text = Buffer.from(bytes).toString('latin1')
          if (direction === 'up' && text.includes('insert into written')) sent.push(connection)
          return direction === 'down' && sent.length > 0 ? { cut: how } : undefined
        },
      })
      const error = await failureOf(pool.sql`insert into written values (3)`)
      expect(error).toMatchObject({ code: 'ERR_CONNECTION_LOST', retryable: false })
      expect(sent).toHaveLength(1)
      await expect.poll(() => pool.stats).toMatchObject({ size: 0 })
      bed.proxy.reset()
      expect(await bed.database.sql`select n from written`).toEqual([{ n: 3 }])
      expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
    },
  )

  it('under a transaction says what became of it', async () => {
    const pool = bed.open()
    const error = await failureOf(
      pool.transaction(async (sql) => {
        await sql`insert into written values (4)`
        bed.proxy.cutAll('fin')
        await sql`insert into written values (5)`
      }),
    )
    expect(error).toMatchObject({ code: 'ERR_CONNECTION_LOST', outcome: 'rolled back' })
    expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
  })

  it('is replaced when it is old', async () => {
    const pool = bed.open({ maxLifetimeMs: 50 })
    const [first] = await pool.sql`select pg_backend_pid() as pid`
    const pid = async (): Promise<unknown> =>
      (await pool.sql`select pg_backend_pid() as pid`)[0]?.pid
    await expect.poll(pid).not.toBe(first?.pid)
    await expect.poll(() => bed.connections()).toBeLessThanOrEqual(1)
  })

  it('is closed when it is old by the time it comes back, and nobody asks for another', async () => {
    const pool = bed.open({ maxLifetimeMs: 50 })
    await pool.sql`select pg_sleep(0.1)`
    await expect.poll(() => pool.stats).toEqual({ size: 0, idle: 0, overflow: 0, waiting: 0 })
    await bed.proxy.until(({ connections }) => connections.every(({ open }) => !open))
  })

  it('is closed when it was idle for long, and the pool goes on', async () => {
    const pool = bed.open({ idleTimeoutMs: 50 })
    await Promise.all([pool.sql`select pg_sleep(0.01)`, pool.sql`select pg_sleep(0.01)`])
    await expect.poll(() => pool.stats.size).toBe(0)
    await bed.proxy.until(({ connections }) => connections.every(({ open }) => !open))
    expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
  })
})

it('a pool outlives a restart of its server', async () => {
  const folder = await makeFolder()
  const options = { port: await findFreePort(), dataDirectory: `${folder}/data` }
  let server = await startPostgres(options)
  const pool = createPool({ url: server.url(), pooler: 'postgres', poolSize: 3 })
  try {
    await pool.sql`create table kept (n int)`
    await Promise.all([1, 2, 3].map((n) => pool.sql`insert into kept values (${n})`))
    const running = failureOf(pool.sql`select pg_sleep(60)`)
    await expect.poll(() => pool.stats.size - pool.stats.idle).toBe(1)
    await server.stop()
    expect(['ERR_CONNECTION_LOST', 'ERR_SERVER_UNAVAILABLE']).toContain((await running).code)
    expect(await failureOf(pool.sql`select 1`)).toMatchObject({
      code: 'ERR_CONNECT_REFUSED',
      retryable: true,
    })
    server = await startPostgres(options)
    expect(await pool.sql`select count(*)::int as n from kept`).toEqual([{ n: 3 }])
    expect(pool.stats).toMatchObject({ size: 1, waiting: 0 })
  } finally {
    await pool.close()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
})
