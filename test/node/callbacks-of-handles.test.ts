import { AsyncLocalStorage } from 'node:async_hooks'
import { createDatabase } from 'nullpool'
import { describe, expect, inject, it } from 'vitest'
import { usePoolBed } from '../support/pool-bed.ts'

const { postgres } = inject('servers')
// biome-ignore lint/suspicious/noExplicitAny: handles of every kind are called alike.
type Any = any

describe('callbacks of a statement of a handle', () => {
  const bed = usePoolBed()
  const tenant = new AsyncLocalStorage<string>()
  const ways: [string, (sql: Any, work: (sql: Any) => Promise<unknown>) => Promise<unknown>][] = [
    ['sql.begin()', (sql, work) => sql.begin(work)],
    ['a savepoint in sql.begin()', (sql, work) => sql.begin((tx: Any) => tx.savepoint(work))],
    [
      'sql.reserve()',
      async (sql, work) => {
        const reserved = await sql.reserve()
        await work(reserved)
        reserved.release()
      },
    ],
    ['transaction()', (sql, work) => (sql.pool as Any).transaction(work)],
    [
      'a savepoint in transaction()',
      (sql, work) => (sql.pool as Any).transaction((tx: Any) => tx.savepoint(work)),
    ],
    ['sql itself', (sql, work) => work(sql)],
  ]
  const calls: [string, (sql: Any, call: () => void) => Promise<unknown>][] = [
    ['forEach', (sql, call) => sql`select 1`.forEach(call)],
    ['cursor', (sql, call) => sql`select 1`.cursor(call)],
  ]
  for (const [way, within] of ways) {
    it.each(calls)(
      `run in the request that makes it, of ${way} of a pool: %s`,
      async (_name, ask) => {
        const pool = bed.open({ poolSize: 1, maxOverflow: 0 })
        // Another request has opened the connection.
        await tenant.run('another', () => pool.sql`select 1`.then(() => undefined))
        const seen: unknown[] = []
        await tenant.run('mine', () =>
          within(Object.assign(pool.sql, { pool }), (sql) =>
            ask(sql, () => seen.push(tenant.getStore())),
          ),
        )
        expect(seen).toEqual(['mine'])
      },
    )

    it(`may use the scope of their own request, of ${way} of a pool`, async () => {
      const pool = bed.open({ poolSize: 1, maxOverflow: 0 })
      const database = createDatabase({ url: bed.database.url(postgres), pooler: 'postgres' })
      await database.run({}, () => pool.sql`select 1`.then(() => undefined))
      const outcome = await database.run({}, async (scope) => {
        let made: Promise<unknown> | undefined
        await within(Object.assign(pool.sql, { pool }), (sql) =>
          sql`select 1`.forEach(() => {
            try {
              made = scope.sql`select 2 as n`.then(([row]) => row?.n)
            } catch (error) {
              made = Promise.resolve((error as Any).code)
            }
          }),
        )
        return made
      })
      expect(outcome).toBe(2)
    })
  }
})
