import type { Sql } from 'postgres'
import { describe, expect, it } from 'vitest'
import { usePoolBed } from '../support/pool-bed.ts'

/** Kinds of queries, each of which would take long. */
const KINDS: Record<string, (sql: Sql) => ReturnType<Sql['unsafe']>> = {
  plain: (sql) => sql.unsafe('select pg_sleep(1)'),
  parameterised: (sql) => sql`select pg_sleep(${1})` as unknown as ReturnType<Sql['unsafe']>,
  'of values': (sql) => sql.unsafe('select pg_sleep(1)').values() as never,
}

describe('a query of a pool that is cancelled', () => {
  const bed = usePoolBed('select 1')

  describe.each(Object.entries(KINDS))('%s', (_name, make) => {
    it.each([0, 1, 2, 5, 20])('after %d ms keeps nobody else waiting', async (afterMs) => {
      const pool = bed.open({ poolSize: 1, maxOverflow: 0 })
      const query = make(pool.sql)
      // A request that comes before its statement stops nothing.
      const ended = query.execute().catch((error: unknown) => error)
      setTimeout(() => query.cancel(), afterMs)
      await ended
      expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
    })
  })

  it('in the same turn is never sent', async () => {
    const pool = bed.open({ poolSize: 1, maxOverflow: 0 })
    const query = pool.sql.unsafe('select pg_sleep(30)').execute()
    const failed = expect(query).rejects.toMatchObject({ code: '57014' })
    query.cancel()
    await failed
    expect(await pool.sql`select 1 as n`).toEqual([{ n: 1 }])
  })
})
