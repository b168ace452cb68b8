import { createDatabase, postgresDriver } from 'nullpool'
import postgres, { type Sql, type TransactionSql } from 'postgres'
import { describe, expect, inject, it } from 'vitest'
import { usePoolBed } from '../support/pool-bed.ts'

const { pgbouncer, postgres: server } = inject('servers')
const FAILING = 'select 1 / (5 - n) as row_number from generate_series(1, 9) n'
const ignore = (): void => undefined
const MINE = "select 'mine' as whose"

/** Ways to ask for rows, each of which fails behind the fourth. */
const FAILURES: Record<string, (sql: Sql | TransactionSql) => Promise<unknown>> = {
  'a query': (sql) => sql.unsafe(FAILING),
  'a query with values': (sql) => sql`
    select 1 / (${5}::int - n) from generate_series(1, 9) n`,
  'a query of values': (sql) => sql.unsafe(FAILING).values(),
  'the second of two': (sql) => sql.unsafe(`${MINE}; ${FAILING}`).simple(),
  'a query read row by row': (sql) => sql.unsafe(FAILING).forEach(ignore),
  'a cursor': async (sql) => {
    for await (const _ of sql.unsafe(FAILING).cursor(3));
  },
}

/** Ways to ask for the rows behind it, each of which gives one. */
const RESULTS: Record<string, (sql: Sql | TransactionSql) => Promise<readonly unknown[]>> = {
  'of a query': (sql) => sql.unsafe(MINE),
  'of a query with values': (sql) => sql`select ${'mine'}::text as whose`,
  'of the first of two': async (sql) => {
    const [first = []] = await sql.unsafe<[[unknown], [unknown]]>(`${MINE}; select 1`).simple()
    return first
  },
  'of a cursor': async (sql) => {
    for await (const rows of sql.unsafe(MINE).cursor(2)) return rows
    return []
  },
}

const divided = (work: Promise<unknown>): Promise<void> =>
  expect(work).rejects.toMatchObject({ code: '22012' })

describe.each(Object.entries(FAILURES))('%s that fails among its rows', (_how, fail) => {
  const bed = usePoolBed()
  const database = () => createDatabase({ url: bed.database.url(pgbouncer ?? server) })

  /** What an array is compared with that may have holes. */
  const own = (rows: readonly unknown[]): unknown => ({ ...rows, length: rows.length })
  const mine = { 0: { whose: 'mine' }, length: 1 }

  describe.each(Object.entries(RESULTS))('leaves none in the result %s', (_what, read) => {
    it('of a request', async () => {
      await database().run({}, async ({ sql }) => {
        await divided(fail(sql))
        expect(own(await read(sql))).toEqual(mine)
      })
    })

    it('of a transaction', async () => {
      await database().run({}, (scope) =>
        scope.transaction(async (sql) => {
          await divided(sql.savepoint((inner) => fail(inner)))
          expect(own(await read(sql))).toEqual(mine)
        }),
      )
    })

    it('of a pool, on the same connection', async () => {
      const pool = bed.open({ poolSize: 1, maxOverflow: 0 })
      await divided(fail(pool.sql))
      expect(own(await read(pool.sql))).toEqual(mine)
      expect(pool.stats.size).toBe(1)
    })

    it('of a reservation', async () => {
      const pool = bed.open()
      const sql = await pool.sql.reserve()
      try {
        await divided(fail(sql))
        expect(own(await read(sql))).toEqual(mine)
      } finally {
        sql.release()
      }
    })
  })
})

describe('what follows a batch of which one fails among its rows', () => {
  const bed = usePoolBed()

  it('has its own rows only, another batch as well', async () => {
    const pool = bed.open({ poolSize: 1, maxOverflow: 0 })
    const failing = pool.batch((sql) => [sql.unsafe(MINE), sql.unsafe(FAILING)])
    await divided(failing)
    const [first, second] = await pool.batch((sql) => [sql.unsafe(MINE), sql.unsafe(MINE)])
    expect([first, second, await pool.sql.unsafe(MINE)].map((rows) => [...rows])).toEqual(
      [1, 2, 3].map(() => [{ whose: 'mine' }]),
    )
  })
})

describe('rows that are collected one by one', () => {
  const bed = usePoolBed()

  it('are changed by transform as ever', async () => {
    const driver = postgresDriver({ transform: postgres.camel })
    const pool = bed.open({ driver })
    await divided(pool.sql.unsafe(FAILING))
    const rows = await pool.sql`select n as row_number from generate_series(1, 3) n`
    expect([...rows]).toEqual([{ rowNumber: 1 }, { rowNumber: 2 }, { rowNumber: 3 }])
    expect(rows).toMatchObject({ count: 3, command: 'SELECT', columns: [{ name: 'rowNumber' }] })
  })

  it('may still be read by forEach, which a batch refuses', async () => {
    const pool = bed.open()
    const seen: unknown[] = []
    const result = await pool.sql.unsafe(MINE).forEach((row) => {
      seen.push(row)
    })
    expect(seen).toEqual([{ whose: 'mine' }])
    expect(result).toHaveLength(0)
    const batch = pool.batch((sql) => [sql.unsafe(MINE).forEach(ignore)])
    await expect(batch).rejects.toMatchObject({ code: 'ERR_OPTIONS' })
  })
})
