import { sql as dsql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { Kysely, PostgresDialect } from 'kysely'
import { createDatabase, type Scope } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { kyselyPool } from 'nullpool/kysely'
import { createPool } from 'nullpool/stationary'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { honoBed } from '../support/hono-bed.ts'
import { useDeeds } from '../support/use-deeds.ts'

const { pgbouncer, postgres } = inject('servers')
const code = (error: { code?: string; message: string }): string => error.code ?? error.message

describe.skipIf(!pgbouncer)('a savepoint that is open when its transaction ends', () => {
  const bed = useDeeds()
  const open = (): Scope =>
    createDatabase({
      url: bed.url(pgbouncer ?? postgres),
      pooler: 'pgbouncer',
      queryTimeoutMs: 10_000,
    }).scope()
  const deeds = (): Promise<unknown[]> => bed.deeds()

  it('is not half committed', async () => {
    await using scope = open()
    const half = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    let left: Promise<unknown> | undefined
    await scope.transaction(async (sql) => {
      left = sql
        .savepoint(async (inner) => {
          await inner`insert into deeds values ('half 1')`
          half.resolve()
          await goOn.promise
          await inner`insert into deeds values ('half 2')`
          return 'whole'
        })
        .catch(code)
      await half.promise
    })
    goOn.resolve()
    const told = await left
    expect(await deeds(), `told: ${told}`).toEqual(told === 'whole' ? ['half 1', 'half 2'] : [])
  })

  it('that fails in the end is not committed', async () => {
    await using scope = open()
    const half = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const told = await scope.transaction(async (sql) => {
      const losing = sql.savepoint(async (inner) => {
        await inner`insert into deeds values ('half')`
        half.resolve()
        await goOn.promise
        throw new Error('on purpose')
      })
      losing.catch(() => undefined)
      return await Promise.race([losing, half.promise.then(() => 'too slow')])
    })
    goOn.resolve()
    expect([told, await deeds()]).toEqual(['too slow', []])
  })

  it('of Drizzle is not committed where it rolls back', async () => {
    await using scope = open()
    const half = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    let left: Promise<unknown> | undefined
    await drizzle(drizzleClient(scope)).transaction(async (tx) => {
      left = tx
        .transaction(async (inner) => {
          await inner.execute(dsql`insert into deeds values ('half')`)
          half.resolve()
          await goOn.promise
          inner.rollback()
        })
        .catch(code)
      await half.promise
    })
    goOn.resolve()
    expect([await left, await deeds()]).toEqual(['Rollback', []])
  })

  it('of Kysely that nobody has committed is not committed', async () => {
    await using scope = open()
    await scope.transaction(async () => {
      const db = new Kysely<{ deeds: { name: string } }>({
        dialect: new PostgresDialect({ pool: kyselyPool(scope) }),
      })
      const trx = await db.startTransaction().execute()
      await trx.insertInto('deeds').values({ name: 'never committed' }).execute()
    })
    expect(await deeds()).toEqual([])
  })

  it('is not half committed on a pool', async () => {
    const pool = createPool({ url: bed.url(postgres), pooler: 'postgres', poolSize: 1 })
    const half = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    let left: Promise<unknown> | undefined
    await pool.transaction(async (sql) => {
      left = sql
        .savepoint(async (inner) => {
          await inner`insert into deeds values ('half')`
          half.resolve()
          await goOn.promise
          throw new Error('on purpose')
        })
        .catch(code)
      await half.promise
    })
    goOn.resolve()
    const told = await left
    await pool.close()
    expect([told, await deeds()]).toEqual(['on purpose', []])
  })

  it('is rolled back though somebody has a savepoint with a name like ours', async () => {
    await using scope = open()
    await scope.transaction(async (sql) => {
      const failing = sql.savepoint(async (inner) => {
        await inner`insert into deeds values ('undone')`
        await inner`savepoint nullpool_1`
        throw new Error('on purpose')
      })
      await expect(failing).rejects.toThrow('on purpose')
    })
    expect(await bed.sql`select * from deeds`).toHaveLength(0)
  })

  it('of its own ends when every statement that waits in it has run', async () => {
    await using scope = open()
    await scope.transaction(async (sql) => {
      let begun: Promise<unknown> | undefined
      await sql.savepoint(async (outer) => {
        outer.savepoint((inner) => inner`select pg_sleep(0.05)`).catch(() => undefined)
        begun = outer`insert into deeds values ('begun')`.then(
          () => 'ok',
          (error) => error.code,
        )
      })
      expect(await begun).toBe('ok')
    })
  })
})

describe.skipIf(!pgbouncer)('a request that is a transaction', () => {
  const bed = honoBed()
  beforeAll(async () => {
    await bed.database.sql`create table deeds (name text)`
  })
  it('commits no half of a transaction() beside which something else has failed', async () => {
    const half = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    let left: Promise<unknown> | undefined
    const app = bed.app({ transaction: true, pooler: 'pgbouncer' }).get('/', async (c) => {
      const paying = c.var.db.transaction(async (sql) => {
        await sql`insert into deeds values ('taken from A')`
        half.resolve()
        await goOn.promise
        await sql`insert into deeds values ('given to B')`
      })
      left = paying.then(() => 'ok', code)
      try {
        await Promise.all([
          paying,
          half.promise.then(() => Promise.reject(new Error('another service'))),
        ])
        return c.text('done')
      } catch {
        return c.text('try again', 409)
      }
    })
    const response = await bed.get(app)
    goOn.resolve()
    const rows = await bed.database.sql`select name from deeds`
    expect([response.status, await left, rows.length]).toEqual([409, 'ERR_TRANSACTION_OVER', 0])
  })
})
