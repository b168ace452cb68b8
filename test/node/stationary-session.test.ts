import { attachDatabasePool } from '@vercel/functions'
import { describe, expect, it, vi } from 'vitest'
import { failureOf } from '../support/fault-bed.ts'
import { usePoolBed } from '../support/pool-bed.ts'

describe('what one use leaves in a session of a pool', () => {
  const bed = usePoolBed()
  const one = { poolSize: 1, maxOverflow: 0 }

  it.each([
    `set application_name to 'mine'`,
    'select pg_advisory_lock(1)',
    'create temporary table mine (n int)',
    'listen mine',
    'prepare mine as select 1',
  ])('is refused before it is left: %s', async (text) => {
    const pool = bed.open(one)
    const uses = [
      () => pool.sql.unsafe(text),
      () => pool.transaction((sql) => sql.unsafe(text)),
      () => pool.run({}, async ({ sql }) => sql.unsafe(text)),
    ]
    for (const use of uses) {
      const error = await failureOf(Promise.resolve(use()))
      expect(error.code).toBe('ERR_SESSION_STATE')
      expect(error.message).toContain('in a pool')
      expect(error.hint).toContain('sql.reserve()')
    }
  })

  it('is allowed to a reservation, and gone behind it', async () => {
    const pool = bed.open(one)
    const reserved = await pool.sql.reserve()
    await reserved`set application_name to 'mine'`
    await reserved`select pg_advisory_lock(42)`
    await reserved`create temporary table mine (n int)`
    await reserved`listen mine`
    await reserved`prepare mine as select 1`
    expect(await reserved`show application_name`).toEqual([{ application_name: 'mine' }])
    reserved.release()
    reserved.release()
    expect((await failureOf(reserved`select 1`)).code).toBe('ERR_SCOPE_CLOSED')
    expect(
      await pool.sql`
      select current_setting('application_name') as name,
        (select count(*)::int from pg_locks where locktype = 'advisory') as locks,
        to_regclass('pg_temp.mine') as temporary,
        (select count(*)::int from pg_listening_channels()) as channels,
        (select count(*)::int from pg_prepared_statements where name = 'mine') as prepared`,
    ).toEqual([{ name: 'nullpool', locks: 0, temporary: null, channels: 0, prepared: 0 }])
    expect(bed.proxy.connections).toHaveLength(1)
  })

  it('is taken out where the guard lets it pass, at the price of a trip that nobody waits for', async () => {
    const pool = bed.open({ ...one, guard: 'off' })
    await pool.sql`select 1`
    bed.proxy.reset()
    await pool.sql`set application_name to 'mine'`
    expect(await pool.sql`show application_name`).toEqual([{ application_name: 'nullpool' }])
    expect(bed.proxy.turns).toBe(3)
  })

  it('is found behind functions where it is always looked for', async () => {
    const pool = bed.open({ ...one, reset: 'always' })
    await pool.sql.unsafe(`do $$ begin perform set_config('my.own', 'left', false); end $$`)
    expect(await pool.sql`select current_setting('my.own', true) as own`).toEqual([{ own: '' }])
  })

  it('cannot be a transaction', async () => {
    const pool = bed.open(one)
    for (const text of ['begin', 'start transaction', 'commit', '/* */ rollback']) {
      const error = await failureOf(pool.sql.unsafe(text))
      expect(error.code).toBe('ERR_SESSION_STATE')
    }
    await pool.sql.unsafe('select 1; begin')
    const reserved = await pool.sql.reserve()
    await reserved`begin`
    await reserved`select 1`
    reserved.release()
    await expect.poll(() => bed.database.idleInTransaction()).toBe(0)
    expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
    await expect.poll(() => pool.stats).toEqual({ size: 1, idle: 1, overflow: 0, waiting: 0 })
  })

  it('is nothing where it has to last: listen and subscribe say so', async () => {
    const pool = bed.open(one)
    await expect(pool.sql.listen('x', () => undefined)).rejects.toMatchObject({
      code: 'ERR_SESSION_STATE',
    })
    await pool.sql.notify('x', 'payload')
  })

  it('is no cancellation: what is stopped in time stops, and its successor runs', async () => {
    const pool = bed.open(one)
    for (let n = 0; n < 5; n += 1) {
      const query = pool.sql`select pg_sleep(60)`
      await expect(pool.abortable(query, AbortSignal.timeout(50))).rejects.toMatchObject({
        code: 'ERR_ABORTED',
      })
      expect(await pool.sql`select pg_sleep(0.02), 1 as n`).toMatchObject([{ n: 1 }])
    }
    expect(pool.stats).toMatchObject({ size: 1 })
  })
})

describe('the end of a pool', () => {
  const bed = usePoolBed('create table written (n int)')

  it('waits for what is under way and what waits, and refuses what comes', async () => {
    const pool = bed.open({ poolSize: 1, maxOverflow: 0 })
    const works = Array.from({ length: 5 }, (_, n) =>
      pool.transaction(async (sql) => {
        await sql`insert into written values (${n})`
        await sql`select pg_sleep(0.1)`
      }),
    )
    await expect.poll(() => pool.stats.waiting, { interval: 1 }).toBe(4)
    const closing = pool.close()
    const refusal = { code: 'ERR_POOL_CLOSED' }
    const { sql } = pool
    const every: (() => PromiseLike<unknown>)[] = [
      () => sql`select 1`,
      () => sql.unsafe('select 1'),
      () => sql.file(import.meta.filename),
      () => sql`select 1`.values(),
      () => sql`select 1`.cursor(1)[Symbol.asyncIterator]().next(),
      () => sql`select 1`.forEach(() => {}),
      () => sql`copy t to stdout`.readable(),
      () => sql.begin((tx) => tx`select 1`),
      () => sql.reserve(),
      () => sql.notify('jobs', ''),
      () => sql.largeObject(),
      () => pool.as(null).sql`select 1`,
      () => pool.transaction((tx) => tx`select 1`),
      () => pool.batch((tx) => [tx`select 1`]),
      () => pool.run({}, (scope) => scope.sql`select 1`),
    ]
    // Nothing throws before it is awaited.
    for (const [at, ask] of every.entries()) {
      const asked = Promise.resolve(ask())
      await expect(asked, `${at}`).rejects.toMatchObject(refusal)
    }
    await expect(pool.transaction((sql) => sql`select 1`)).rejects.toMatchObject({
      code: 'ERR_POOL_CLOSED',
    })
    await Promise.all(works)
    await closing
    await pool.close()
    expect(await bed.database.sql`select count(*)::int as n from written`).toEqual([{ n: 5 }])
    expect(pool.stats).toEqual({ size: 0, idle: 0, overflow: 0, waiting: 0 })
    await bed.proxy.until(({ connections }) => connections.every(({ open }) => !open))
  })

  it('is bounded: what goes on is cancelled and rolled back, and fails with ERR_POOL_CLOSED', async () => {
    const pool = bed.open({ poolSize: 2, maxOverflow: 0, drainTimeoutMs: 100, closeTimeoutMs: 500 })
    await bed.database.sql`truncate written`
    const transaction = failureOf(
      pool.transaction(async (sql) => {
        await sql`insert into written values (1)`
        await sql`select pg_sleep(60)`
      }),
    )
    const query = failureOf(pool.sql`select pg_sleep(60)`)
    await expect.poll(() => pool.stats.size).toBe(2)
    const waiting = failureOf(pool.sql`select 1`)
    await pool.close()
    expect(await transaction).toMatchObject({ code: 'ERR_POOL_CLOSED', outcome: 'rolled back' })
    expect((await query).code).toBe('ERR_POOL_CLOSED')
    expect((await waiting).code).toBe('ERR_POOL_CLOSED')
    await expect.poll(() => bed.database.sql`select n from written`).toEqual([])
  })

  it('comes with `await using`', async () => {
    const url = bed.database.url(bed.proxy)
    const { createPool } = await import('nullpool/stationary')
    {
      await using pool = createPool({ url })
      await pool.sql`select 1`
    }
    await bed.proxy.until(({ connections }) => connections.every(({ open }) => !open))
  })
})

describe('attachDatabasePool of @vercel/functions', () => {
  const bed = usePoolBed()

  it('keeps the instance until the idle connections of a pool have closed', async () => {
    vi.stubEnv('VERCEL_URL', 'library.example')
    vi.stubEnv('VERCEL_REGION', 'fra1')
    const kept: Promise<unknown>[] = []
    const context = {
      get: () => ({ waitUntil: (promise: Promise<unknown>) => kept.push(promise) }),
    }
    Reflect.set(globalThis, Symbol.for('@vercel/request-context'), context)
    try {
      const pool = bed.open({ idleTimeoutMs: 100 })
      attachDatabasePool(pool.attachable())
      await pool.sql`select 1`
      expect(kept).toHaveLength(1)
      expect(pool.stats.size).toBe(1)
      await kept[0]
      // They are being closed by then; how long a goodbye takes is the server's affair.
      expect(pool.stats.idle).toBe(0)
      await expect.poll(() => pool.stats.size).toBe(0)
    } finally {
      Reflect.deleteProperty(globalThis, Symbol.for('@vercel/request-context'))
      vi.unstubAllEnvs()
    }
  })

  it('cannot keep it where they never close', () => {
    expect(() => bed.open().attachable()).toThrow(expect.objectContaining({ code: 'ERR_OPTIONS' }))
  })
})
