import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { createDatabase, type Scope } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

describe.each([
  ['pgbouncer', pgbouncer],
  ['supavisor', postgres],
] as const)('a savepoint that has ended, as with %s', (pooler, target) => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table deeds (name text unique)`
  })
  afterEach(async () => {
    await bed.sql`truncate deeds`
  })
  afterAll(() => bed[Symbol.asyncDispose]())

  const open = (): Scope => createDatabase({ url: bed.url(target ?? postgres), pooler }).scope()
  const deeds = async (): Promise<unknown[]> =>
    (await bed.sql`select name from deeds order by 1`).map(({ name }) => name)

  describe.skipIf(!target)('on the test bed', () => {
    it.each([
      ['committed', async () => 'done'],
      ['rolled back', () => Promise.reject(new Error('On purpose.'))],
    ])('is none any more where it was %s', async (_what, end) => {
      await using scope = open()
      const gone = scope.transaction(async (sql) => {
        await scope
          .transaction(async (inner) => {
            await inner`insert into deeds values ('inside')`
            await end()
          })
          .catch(() => undefined)
        await sql`select 1`
        await sql.unsafe('rollback to "nullpool 1"')
      })
      await expect(gone).rejects.toMatchObject({ code: '3B001' })
    })

    it('leaves its access mode behind', async () => {
      await using scope = open()
      await scope.transaction(async (sql) => {
        await sql
          .savepoint(async (inner) => {
            await inner`set transaction read only`
            await expect(inner`insert into deeds values ('inside')`).rejects.toMatchObject({
              code: '25006',
            })
            throw new Error('On purpose.')
          })
          .catch(() => undefined)
        await sql.savepoint((inner) => inner`set transaction read only`)
        await sql`insert into deeds values ('behind')`
      })
      expect(await deeds()).toEqual(['behind'])
    })

    it('is kept where its user went back to a savepoint by hand, which may have ended it', async () => {
      await using scope = open()
      await scope.transaction(async (sql) => {
        await sql`insert into deeds values ('before')`
        await sql.unsafe('savepoint "mine"')
        await sql
          .savepoint(async (inner) => {
            await inner`insert into deeds values ('inside')`
            await sql.unsafe('rollback to "mine"')
          })
          .catch(() => undefined)
        await sql`insert into deeds values ('behind')`
      })
      expect(await deeds()).toEqual(['before', 'behind'])
    })

    it('does not take along a savepoint of another client that begins at once', async () => {
      await using scope = open()
      const db = drizzle(drizzleClient(scope))
      await scope.transaction(async () => {
        for (let n = 0; n < 20; n++) {
          const kept = scope.transaction((sql) => sql`insert into deeds values (${`kept ${n}`})`)
          const undone = db.transaction(async (tx) => {
            await tx.execute(drizzleSql`insert into deeds values (${`undone ${n}`})`)
            throw new Error('On purpose.')
          })
          await Promise.all([kept, undone.catch(() => undefined)])
        }
      })
      expect(await deeds()).toEqual(Array.from({ length: 20 }, (_, n) => `kept ${n}`).sort())
    })

    it('does not take along one whose name is so long that its driver writes it at once', async () => {
      await using scope = open()
      const db = drizzle(drizzleClient(scope))
      await scope.transaction(async (sql) => {
        await sql`select 1`
        const kept = db.transaction((tx) =>
          tx.execute(drizzleSql`insert into deeds values ('kept')`),
        )
        const undone = sql.savepoint('x'.repeat(2_000), async (inner) => {
          await inner`insert into deeds values ('undone')`
          throw new Error('On purpose.')
        })
        await Promise.all([kept, undone.catch(() => undefined)])
      })
      expect(await deeds()).toEqual(['kept'])
    })

    it('is released before what it is in is rolled back, also where that is written at once', async () => {
      await using scope = open()
      const db = drizzle(drizzleClient(scope))
      await scope.transaction(async (sql) => {
        await sql`insert into deeds values ('before')`
        const undone = sql.savepoint('x'.repeat(2_000), async () => {
          await db.transaction((tx) => tx.execute(drizzleSql`insert into deeds values ('undone')`))
          throw new Error('On purpose.')
        })
        await undone.catch(() => undefined)
        await sql`insert into deeds values ('behind')`
      })
      expect(await deeds()).toEqual(['before', 'behind'])
    })

    it('ends whatever COPY and several statements at once begin with', async () => {
      await using scope = open()
      await scope.transaction(async (sql) => {
        await sql.savepoint(async (inner) => {
          await inner.unsafe("insert into deeds values ('one'); insert into deeds values ('two')")
        })
        const undone = sql.savepoint(async (inner) => {
          const rows = await inner`copy deeds from stdin`.writable()
          await new Promise<void>((resolve, reject) => {
            rows.on('error', reject).end('three\nfour\n', () => resolve())
          })
          await inner.unsafe("insert into deeds values ('five'); select 1 / 0")
        })
        await expect(undone).rejects.toMatchObject({ code: '22012' })
        await sql.savepoint((inner) => inner.unsafe("select 1; insert into deeds values ('six')"))
      })
      expect(await deeds()).toEqual(['one', 'six', 'two'])
    })
  })
})
