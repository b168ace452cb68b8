import { AsyncLocalStorage } from 'node:async_hooks'
import { createDatabase, NullpoolError, type Sql, type TransactionSql } from 'nullpool'
import type { Pool } from 'nullpool/stationary'
import { describe, expect, inject, it } from 'vitest'
import { usePoolBed } from '../support/pool-bed.ts'

const { postgres } = inject('servers')

type Handle = Sql | TransactionSql
type Work = (sql: Handle) => Promise<unknown>

const WAYS: [string, (pool: Pool, work: Work) => Promise<unknown>][] = [
  ['sql.begin()', ({ sql }, work) => sql.begin(work)],
  ['a savepoint in sql.begin()', ({ sql }, work) => sql.begin((tx) => tx.savepoint(work))],
  [
    'sql.reserve()',
    async ({ sql }, work) => {
      const reserved = await sql.reserve()
      await work(reserved)
      reserved.release()
    },
  ],
  ['transaction()', (pool, work) => pool.transaction(work)],
  ['a savepoint in transaction()', (pool, work) => pool.transaction((tx) => tx.savepoint(work))],
  ['sql itself', ({ sql }, work) => work(sql)],
]

const CALLS: [string, (sql: Handle, call: () => void) => Promise<unknown>][] = [
  ['forEach', (sql, call) => sql`select 1`.forEach(call)],
  ['cursor', (sql, call) => sql`select 1`.cursor(call)],
]

describe.each(WAYS)('callbacks of a statement of %s', (_way, within) => {
  const bed = usePoolBed()
  const tenant = new AsyncLocalStorage<string>()

  it.each(CALLS)('run in the request that makes it: %s', async (_name, ask) => {
    const pool = bed.open({ poolSize: 1, maxOverflow: 0 })
    // Another request has opened the connection.
    await tenant.run('another', async () => void (await pool.sql`select 1`))
    const seen: unknown[] = []
    await tenant.run('mine', () =>
      within(pool, (sql) => ask(sql, () => void seen.push(tenant.getStore()))),
    )
    expect(seen).toEqual(['mine'])
  })

  it('may use the scope of their own request', async () => {
    const pool = bed.open({ poolSize: 1, maxOverflow: 0 })
    const database = createDatabase({ url: bed.database.url(postgres), pooler: 'postgres' })
    await database.run({}, async () => void (await pool.sql`select 1`))
    const outcome = await database.run({}, async (scope) => {
      let made: Promise<unknown> | undefined
      const call = (): void => {
        try {
          made = scope.sql`select 2 as n`.then(([row]) => row?.n)
        } catch (error) {
          made = Promise.resolve(NullpoolError.is(error) ? error.code : error)
        }
      }
      await within(pool, (sql) => sql`select 1`.forEach(call))
      return made
    })
    expect(outcome).toBe(2)
  })
})
