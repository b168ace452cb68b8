import { createDatabase, type Scope } from 'nullpool'
import { createPool } from 'nullpool/stationary'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { claimsOf, makeSupabaseSchema } from '../support/supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

describe.skipIf(!pgbouncer)('a transaction in one of another database in one of its own', () => {
  let bed: TestDatabase
  let other: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    other = await createTestDatabase()
    await makeSupabaseSchema(bed.sql)
    await bed.sql`create table deeds (name text)`
  })
  afterEach(() => bed.sql`truncate deeds`)
  afterAll(async () => {
    await bed[Symbol.asyncDispose]()
    await other[Symbol.asyncDispose]()
  })
  const pooled = (database: TestDatabase) =>
    createPool({ url: database.url(postgres), pooler: 'postgres', poolSize: 3 })
  const scoped = (database: TestDatabase): Scope =>
    createDatabase({
      url: database.url(pgbouncer ?? postgres),
      pooler: 'pgbouncer',
      queryTimeoutMs: 10_000,
    }).scope()
  const deeds = async (): Promise<unknown[]> =>
    (await bed.sql`select name from deeds`).map(({ name }) => name)

  it.each(['transaction', 'batch'] as const)(
    'is rolled back with the outer one on a pool: %s',
    async (how) => {
      await using one = pooled(bed)
      await using two = pooled(other)
      const failing = one.transaction(async (outer) => {
        await outer`select 1`
        await two.transaction(async (between) => {
          await between`select 1`
          if (how === 'batch') await one.batch((sql) => [sql`insert into deeds values ('inner')`])
          else await one.transaction((sql) => sql`insert into deeds values ('inner')`)
        })
        throw new Error('on purpose')
      })
      await expect(failing).rejects.toThrow('on purpose')
      expect(await deeds()).toEqual([])
    },
  )

  it('is rolled back with the outer one on a pool, around one of other claims', async () => {
    await using one = pooled(bed)
    const failing = one.transaction(async (outer) => {
      await outer`select 1`
      await one.as(claimsOf(1)).transaction(async (between) => {
        await between`select 1`
        await one.transaction((sql) => sql`insert into deeds values ('inner')`)
      })
      throw new Error('on purpose')
    })
    await expect(failing).rejects.toThrow('on purpose')
    expect(await deeds()).toEqual([])
  })

  it('is a savepoint on scopes', async () => {
    await using one = scoped(bed)
    await using two = scoped(other)
    const whole = one.transaction(async (outer) => {
      await outer`select 1`
      await two.transaction(async (between) => {
        await between`select 1`
        await one.transaction((sql) => sql`insert into deeds values ('inner')`)
      })
      return 'ok'
    })
    expect(await whole.catch((error) => error.code)).toBe('ok')
  })

  it('the outer handle may be used in a savepoint of its own around one of another', async () => {
    await using one = scoped(bed)
    await using two = scoped(other)
    const whole = one.transaction((outer) =>
      outer.savepoint(async (saved) => {
        await saved`select 1`
        await two.transaction((between) =>
          between.savepoint(async () => void (await outer`insert into deeds values ('inner')`)),
        )
        return 'ok'
      }),
    )
    expect(await whole.catch((error) => error.code)).toBe('ok')
  })
})
