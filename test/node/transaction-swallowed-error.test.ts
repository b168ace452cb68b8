import { createDatabase } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

describe.skipIf(!pgbouncer)(
  'a transaction inside of another in which an error was swallowed',
  () => {
    let bed: TestDatabase
    beforeAll(async () => {
      bed = await createTestDatabase()
      await bed.sql`create table deeds (name text)`
    })
    afterAll(() => bed[Symbol.asyncDispose]())
    it('says so, and takes nothing of the outer one with it', async () => {
      await using scope = createDatabase({
        url: bed.url(pgbouncer ?? postgres),
        pooler: 'pgbouncer',
      }).scope()
      const told: unknown[] = []
      const whole = scope.transaction(async (sql) => {
        await sql`insert into deeds values ('before')`
        const inner = scope.transaction(async (nested) => {
          await nested`insert into deeds values ('undone')`
          await nested`select 1 / 0`.catch(() => undefined)
          return 'ok'
        })
        told.push(await inner.catch((error) => error.code))
        await sql`insert into deeds values ('behind')`
        return 'ok'
      })
      told.push(await whole.catch((error) => error.code))
      const rows = (await bed.sql`select name from deeds order by 1`).map(({ name }) => name)
      expect({ told, rows }).toEqual({
        told: ['ERR_TRANSACTION_ROLLED_BACK', 'ok'],
        rows: ['before', 'behind'],
      })
    })
  },
)
