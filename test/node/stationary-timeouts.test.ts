import { describe, expect, it } from 'vitest'
import { usePoolBed } from '../support/pool-bed.ts'

/** What comes behind has this long, too, on a machine that may stand still for a moment. */
const SHORT = { queryTimeoutMs: 2_500, closeTimeoutMs: 2_500 }

describe('a query of a pool that is given up', () => {
  const bed = usePoolBed()

  it.each([1, 3])('because it takes too long fails alone (%d at once)', async (many) => {
    const pool = bed.open(SHORT)
    const slow = Array.from({ length: many }, () => pool.sql`select pg_sleep(60)`)
    const reasons = (await Promise.allSettled(slow)).map((ended) => Object(ended).reason?.code)
    expect(reasons).toEqual(slow.map(() => 'ERR_QUERY_TIMEOUT'))
    // Stopped at the server, its connection is free again.
    await expect.poll(() => pool.stats).toMatchObject({ size: many, idle: many })
    for (let n = 0; n < 4; n += 1) expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
  })

  it('because nobody went on with its cursor fails alone', async () => {
    const pool = bed.open(SHORT)
    const cursor = pool.sql`select generate_series(1, 100)`.cursor(1)[Symbol.asyncIterator]()
    await cursor.next()
    await expect.poll(() => pool.stats).toMatchObject({ size: 1, idle: 1 })
    await expect(cursor.next()).rejects.toMatchObject({ code: 'ERR_STREAM_IDLE' })
    for (let n = 0; n < 4; n += 1) expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
  })
})
