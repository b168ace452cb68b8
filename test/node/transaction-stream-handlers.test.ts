import { createDatabase, type Scope } from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** forEach() and cursor() call back in the transaction that they are made in; the streams of COPY do not. */
describe.skipIf(!pgbouncer)('handlers of the streams of COPY', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table deeds (name text)`
  })
  afterEach(async () => void (await bed.sql`truncate deeds`))
  afterAll(() => bed[Symbol.asyncDispose]())
  const open = (): Scope =>
    createDatabase({
      url: bed.url(pgbouncer ?? postgres),
      pooler: 'pgbouncer',
      queryTimeoutMs: 3000,
    }).scope()
  const code = (promise: PromiseLike<unknown>): Promise<string> =>
    Promise.resolve(promise).then(
      () => 'ok',
      (error) => error.code ?? error.message,
    )

  it('a statement of an open transaction is not refused because the connection was opened in a savepoint', async () => {
    await using scope = open()
    const told: Promise<string>[] = []
    await scope.transaction(async (sql) => {
      await sql.savepoint(async (inner) => void (await inner`select 1`))
      const rows = await sql`copy (select 1) to stdout`.readable()
      await new Promise((resolve, reject) => {
        rows.on('data', () => told.push(code(sql`insert into deeds values ('data')`)))
        rows.on('end', resolve).on('error', reject)
      })
      await Promise.all(told)
    })
    expect(await Promise.all(told)).toEqual(['ok'])
  })

  it.each(['forEach', 'readable'])(
    'a transaction that is begun in a handler is a savepoint: %s',
    async (how) => {
      await using scope = open()
      // Opens the connection, in another transaction.
      await scope.transaction(async (sql) => void (await sql`select 1`))
      const told: Promise<string>[] = []
      const whole = await code(
        scope.transaction(async (sql) => {
          const handle = (): void => {
            told.push(
              code(
                scope.transaction(
                  async (inner) => void (await inner`insert into deeds values ('inner')`),
                ),
              ),
            )
          }
          if (how === 'forEach') await sql`select 1`.forEach(handle)
          else {
            const rows = await sql`copy (select 1) to stdout`.readable()
            await new Promise((resolve, reject) =>
              rows.on('data', handle).on('end', resolve).on('error', reject),
            )
          }
          throw new Error('on purpose')
        }),
      )
      expect(whole).toBe('on purpose')
      await Promise.all(told)
      // What was begun in a transaction that is rolled back must not stay.
      expect((await bed.sql`select name from deeds`).map((x) => x.name)).toEqual([])
    },
  )
})
