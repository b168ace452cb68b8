import { createPool } from 'nullpool/stationary'
import { describe, expect, it } from 'vitest'
import { failureOf } from '../support/fault-bed.ts'
import { usePoolBed } from '../support/pool-bed.ts'

describe('who waits for a connection of a pool', () => {
  const bed = usePoolBed()

  it('is served in the order of coming', async () => {
    const pool = bed.open({ poolSize: 1, maxOverflow: 0 })
    const reserved = await pool.sql.reserve()
    await reserved`select 1`
    const order: number[] = []
    // Of every kind: all of them stand in the same line.
    const kinds = [
      (n: number) => pool.transaction((sql) => sql`select ${n}::int`),
      (n: number) => pool.sql`select ${n}::int`,
      (n: number) => pool.batch((sql) => [sql`select ${n}::int`]),
      (n: number) => pool.sql.begin((sql) => sql`select ${n}::int`),
      (n: number) => pool.run({}, ({ sql }) => Promise.resolve(sql`select ${n}::int`)),
    ]
    const works: Promise<unknown>[] = []
    for (let n = 0; n < 20; n += 1) {
      works.push(Promise.resolve(kinds[n % 5]?.(n)).then(() => order.push(n)))
      await expect.poll(() => pool.stats.waiting, { interval: 1 }).toBe(n + 1)
    }
    reserved.release()
    await Promise.all(works)
    expect(order).toEqual(Array.from({ length: 20 }, (_, n) => n))
    expect(bed.proxy.connections).toHaveLength(1)
  })

  it('gives up after acquireTimeoutMs, and learns who has the connections', async () => {
    const pool = bed.open({ poolSize: 1, maxOverflow: 1, acquireTimeoutMs: 1_000 })
    const secret = 'not to be told'
    let finish: () => void = () => undefined
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const begun = Promise.withResolvers<void>()
    const holding = pool.transaction(async (sql) => {
      await sql`select ${secret}::text as secret`
      begun.resolve()
      await finished
    })
    await begun.promise
    const running = pool.sql`select ${secret}::text as secret, pg_sleep(60)`.execute()
    const stopped = expect(running).rejects.toMatchObject({ code: '57014' })
    await expect
      .poll(
        () => bed.database.sql`
          select from pg_stat_activity where datname = current_database() and state = 'active'
            and query like '%pg_sleep(60)%' and pid <> pg_backend_pid()`,
      )
      .toHaveLength(1)
    const error = await failureOf(pool.sql`select ${secret}::text`)
    expect(error).toMatchObject({ code: 'ERR_POOL_TIMEOUT', retryable: true })
    expect(error.message).toMatch(/All 2 are in use: /)
    expect(error.message).toMatch(/a transaction for \d+ ms, idle in a transaction/)
    expect(error.message).toMatch(/a query for \d+ ms, running a statement/)
    expect(error.message).not.toContain('secret')
    expect(error.message).not.toContain(secret)
    finish()
    running.cancel()
    await Promise.all([holding, stopped])
    await expect.poll(() => pool.stats.idle).toBe(1)
    expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
  })

  it('hears from a pool that is used inside of its own transaction, and does not wait for ever', async () => {
    const pool = bed.open({ poolSize: 1, maxOverflow: 0, acquireTimeoutMs: 200 })
    const error = await failureOf(
      pool.transaction(async (sql) => {
        await sql`select 1`
        await pool.sql`select 2`
      }),
    )
    expect(error.code).toBe('ERR_POOL_TIMEOUT')
    expect(error.hint).toContain('pool.sql waits for another connection')
    await expect.poll(() => pool.stats.idle).toBe(1)
    expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
  })

  it('can leave: what is cancelled while it waits takes no connection', async () => {
    const pool = bed.open({ poolSize: 1, maxOverflow: 0 })
    const reserved = await pool.sql.reserve()
    await reserved`select 1`
    const leaving = Array.from({ length: 100 }, (_, n) => pool.sql`select ${n}::int as n`.execute())
    const staying = pool.sql`select 'stayed' as who`.execute()
    await expect.poll(() => pool.stats.waiting).toBeGreaterThan(0)
    for (const query of leaving) query.cancel()
    const left = await Promise.allSettled(leaving)
    expect(left.every(({ status }) => status === 'rejected')).toBe(true)
    reserved.release()
    expect(await staying).toEqual([{ who: 'stayed' }])
    await expect.poll(() => pool.stats).toEqual({ size: 1, idle: 1, overflow: 0, waiting: 0 })
  })

  it('fails with those who cannot connect, one attempt each, and the pool recovers', async () => {
    const pool = bed.open({ poolSize: 2, maxOverflow: 2 })
    bed.proxy.refuse = true
    const works = Array.from({ length: 50 }, (_, n) => failureOf(pool.sql`select ${n}::int`))
    for (const error of await Promise.all(works)) expect(error.retryable).toBe(true)
    expect(bed.proxy.refused).toBe(50)
    expect(pool.stats).toEqual({ size: 0, idle: 0, overflow: 0, waiting: 0 })
    bed.proxy.refuse = false
    expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
  })

  it('stays within the limit in a storm of all kinds, with cuts and cancelled waits', async () => {
    const pool = bed.open({ poolSize: 3, maxOverflow: 2, reset: 'always', closeTimeoutMs: 20_000 })
    let most = 0
    let cut = 0
    const look = (): void => {
      most = Math.max(most, pool.stats.size, bed.connections())
    }
    const works = Array.from({ length: 500 }, async (_, n) => {
      look()
      const kind = n % 5
      if (kind === 0) await pool.transaction((sql) => sql`select ${n}::int as n`)
      else if (kind === 1) await pool.batch((sql) => [sql`select ${n}::int as n`, sql`select 2`])
      else if (kind === 2) await pool.sql.begin((sql) => sql`select ${n}::int as n`)
      else if (kind === 3) {
        const query = pool.sql`select ${n}::int as n`.execute()
        if (n % 2) query.cancel()
        await query
      } else await pool.as({ sub: String(n), role: 'postgres' }).sql`select ${n}::int as n`
      look()
      if (n % 100 === 99 && cut < 3) {
        cut += 1
        bed.proxy.cutAll('rst')
      }
    })
    const outcomes = await Promise.allSettled(works)
    expect(most).toBeLessThanOrEqual(5)
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(100)
    await expect.poll(() => pool.stats).toMatchObject({ overflow: 0, waiting: 0 })
    await expect.poll(() => pool.stats.idle === pool.stats.size).toBe(true)
    expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
  })
})

describe('createPool', () => {
  it.each([
    [{ poolSize: 0 }, 'poolSize'],
    [{ maxOverflow: -1 }, 'maxOverflow'],
    [{ pingAfterIdleMs: true }, 'pingAfterIdleMs'],
    [{ prepare: 'yes' }, 'prepare'],
    [{ reset: true }, 'reset'],
    [{ connect: 'eager' }, 'connect'],
    [{ poolsize: 1 }, 'poolsize'],
  ])('refuses %o', (options, named) => {
    expect(() => createPool(options as never)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTIONS', message: expect.stringContaining(named) }),
    )
  })

  it('tells of a connection string that is missing or wrong at the first statement', async () => {
    const pool = createPool({ url: () => undefined })
    expect(() => pool.sql`select 1`).toThrow(expect.objectContaining({ code: 'ERR_URL_MISSING' }))
    await pool.close()
  })
})
