import { createDatabase } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')

describe.each(['supavisor', 'postgres'] as const)(
  'statements of one client, pooler %s',
  (pooler) => {
    let bed: TestDatabase
    beforeAll(async () => {
      bed = await createTestDatabase()
    })
    afterAll(() => bed[Symbol.asyncDispose]())

    it('cannot be built and harm nobody, also as the second of all', async () => {
      const database = createDatabase({ url: bed.url(postgres), pooler, queryTimeoutMs: 20_000 })
      await using scope = database.scope()
      const { sql } = scope
      const undefinedValue = { code: 'UNDEFINED_VALUE' }
      expect(await sql`select 1 as n`.catch((error) => error)).toEqual([{ n: 1 }])
      await expect(sql`select ${undefined as never}`).rejects.toMatchObject(undefinedValue)
      expect(await sql`select ${2}::int as n`).toEqual([{ n: 2 }])
      const bad = undefined as never
      const seen = await Promise.allSettled([
        sql`select pg_sleep(0.1), 'a' as x`,
        sql`select ${bad}::int as x`,
        sql`select 'b' as x`,
        sql`select * from pg_class where relname in ${sql(['a', bad])}`,
        sql`select ${sql`${1}::int + ${bad}::int`}`,
        sql.unsafe('select $1::int', [bad]),
        sql`select ${sql.typed(bad, 25)}`,
        sql`insert into nowhere ${sql([{ a: 1, b: 2 }, { a: 1 } as never])}`,
        sql`select 1 where 1 = any(${Array.from({ length: 70_000 }, (_, n) => n)})`,
        sql`select 1 from pg_class where oid in ${sql(Array.from({ length: 70_000 }, (_, n) => n))}`,
        sql`select 'c' as x`,
      ])
      expect(seen.map((one) => ('value' in one ? one.value[0]?.x : one.reason.code))).toEqual([
        'a',
        'UNDEFINED_VALUE',
        'b',
        ...Array.from({ length: 5 }, () => 'UNDEFINED_VALUE'),
        undefined,
        'MAX_PARAMETERS_EXCEEDED',
        'c',
      ])
    })

    it('wait behind a transaction for as long as a statement may take, however busy it is', async () => {
      const database = createDatabase({ url: bed.url(postgres), pooler, queryTimeoutMs: 2_500 })
      await using scope = database.scope()
      await scope.sql`select 1`
      let waiting: Promise<unknown> = Promise.resolve()
      const busy = scope.transaction(async (sql) => {
        await sql`select 1`
        let isTold = false
        waiting = scope.sql`select 2`
          .catch((error) => error)
          .finally(() => {
            isTold = true
          })
        while (!isTold) await sql`select pg_sleep(0.1)`
        return 'done'
      })
      expect(await busy).toBe('done')
      expect(await waiting).toMatchObject({ code: 'ERR_TRANSACTION_WAIT', retryable: false })
      expect(await scope.sql`select 3 as n`).toEqual([{ n: 3 }])
    })

    it('are no failures of the pooler because a function says what poolers say', async () => {
      await using scope = createDatabase({ url: bed.url(postgres), pooler }).scope()
      const { sql } = scope
      const text =
        "do $$ begin raise sqlstate 'XX000' using message = '(ECHECKOUTTIMEOUT) so'; end $$"
      await expect(sql.unsafe(text)).rejects.toMatchObject({ name: 'PostgresError', code: 'XX000' })
      expect(await sql`select 1 as n`).toEqual([{ n: 1 }])
    })

    it('tell of the time limits of the server', async () => {
      await using scope = createDatabase({ url: bed.url(postgres), pooler, guard: 'off' }).scope()
      const failing = scope.transaction(async (sql) => {
        await sql`set local idle_in_transaction_session_timeout = 50`
        await sql`select 1`
        await expect.poll(() => bed.idleInTransaction()).toBe(0)
        await sql`select 2`
      })
      await expect(failing).rejects.toMatchObject({
        code: 'ERR_CONNECTION_LOST',
        outcome: 'rolled back',
        hint: expect.stringContaining('idle_in_transaction_session_timeout'),
      })
    })
  },
)
