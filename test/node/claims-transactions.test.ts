import { createDatabase, type Scope, type Sql } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { claimsOf, makeSupabaseSchema } from '../support/supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** Statements sent behind each other, whatever becomes of them. */
const settle = (all: Promise<unknown>[]): Promise<string[]> =>
  Promise.all(
    all.map((one) =>
      one.then(
        () => 'done',
        (error: { code: string }) => error.code,
      ),
    ),
  )

describe.each([
  ['universal', 'supavisor', postgres],
  ['pipelined', 'postgres', postgres],
  ['pipelined behind PgBouncer', 'pgbouncer', pgbouncer],
] as const)('transactions under claims, %s', (_name, pooler, target) => {
  describe.skipIf(!target)('on the test bed', () => {
    let bed: TestDatabase
    beforeAll(async () => {
      bed = await createTestDatabase()
      await makeSupabaseSchema(bed.sql)
      await bed.sql`create table marks (name text)`
      await bed.sql`grant all on marks to authenticated`
    })
    afterAll(() => bed[Symbol.asyncDispose]())
    const run = (work: (sql: Sql, scope: Scope) => Promise<unknown>): Promise<unknown> => {
      const url = bed.url(target ?? postgres)
      const database = createDatabase({ url, pooler, queryTimeoutMs: 3_000, guard: 'off' })
      return database.run({}, (scope) => work(scope.as(claimsOf(1)).sql, scope))
    }
    const marks = async (): Promise<unknown[]> =>
      (await bed.sql`delete from marks returning name`).map(({ name }) => name).sort()

    it('end as they should where statements that nobody awaited fail', async () => {
      await run(async (sql) => {
        const failing = sql.begin(async (tx) => {
          const ignored = settle([tx`select pg_sleep(0.05)`, tx`select 1 / 0`, tx`select 2`])
          await tx`select 3`.catch(() => undefined)
          await ignored
          throw new RangeError('the application')
        })
        await expect(failing).rejects.toThrow('the application')
        expect(await sql`select current_user as role`).toEqual([{ role: 'authenticated' }])
      })
    })

    it('keep their settings and their savepoints for statements sent together', async () => {
      await run(async (_sql, scope) => {
        const seen = await scope.as(claimsOf(1)).transaction(async (tx) => {
          await tx`select 1`
          const [, [set]] = await Promise.all([
            tx`select set_config('app.x', '2', true)`,
            tx`select current_setting('app.x') as x, current_user as role`,
          ])
          const codes = await settle([
            tx`savepoint a`,
            tx`insert into marks values ('undone')`,
            tx`select 1 / 0`,
            tx`rollback to savepoint a`,
            tx`insert into marks values ('kept')`,
          ])
          return { ...set, codes }
        })
        expect(seen).toEqual({
          x: '2',
          role: 'authenticated',
          codes: ['done', 'done', '22012', 'done', 'done'],
        })
      })
      expect(await marks()).toEqual(['kept'])
    })

    it('begin in any isolation, beside other statements, with a comment, by SET TRANSACTION', async () => {
      const isolation = (tx: { unsafe: Sql['unsafe'] }): Promise<unknown> =>
        tx.unsafe('select current_setting($1) as level, current_user as role', [
          'transaction_isolation',
        ])
      const serializable = [{ level: 'serializable', role: 'authenticated' }]
      await run(async (sql) => {
        const slow = sql`select pg_sleep(0.05)`
        slow.execute()
        expect(await sql.begin('isolation level serializable', isolation)).toEqual(serializable)
        await slow
        const set = await sql.begin(async (tx) => {
          await tx`set transaction isolation level serializable, read only`
          return isolation(tx)
        })
        expect(set).toEqual(serializable)
        const reserved = await sql.reserve()
        await reserved.unsafe('/* app:1 */ begin isolation level serializable -- so')
        expect(await isolation(reserved)).toEqual(serializable)
        await reserved.unsafe('/* app:1 */ rollback;')
        reserved.release()
      })
    })

    it('are savepoints of each other for the same claims and settings in another order', async () => {
      const { sub, ...rest } = claimsOf(1)
      const names = await run(async (_sql, scope) => {
        const rows = await scope
          .as({ ...rest, sub }, { 'app.one': '1', 'app.two': '2' })
          .transaction(async (outer) => {
            await outer`insert into marks values ('outer')`
            const other = scope.as({ sub, ...rest }, { 'app.two': '2', 'app.one': '1' })
            await other.transaction((inner) => inner`insert into marks values ('inner')`)
            return outer`select name from marks order by name`
          })
        return rows.map(({ name }) => name)
      })
      expect(names).toEqual(['inner', 'outer'])
      expect(await marks()).toEqual(['inner', 'outer'])
    })

    it.each(['commit and chain', 'rollback and chain', 'COMMIT /* and */ AND\nCHAIN;'])(
      'cannot be left by %j',
      async (text) => {
        await run(async (sql) => {
          const reserved = await sql.reserve()
          await reserved`begin`
          await reserved`select 1`
          await expect(reserved.unsafe(text)).rejects.toMatchObject({ code: '0A000' })
          const [row] = await reserved`select current_user as role`.catch(() => [])
          expect(row?.role ?? 'authenticated').toBe('authenticated')
          await reserved`rollback`
          reserved.release()
          expect(await sql`select current_user as role`).toEqual([{ role: 'authenticated' }])
        })
      },
    )

    it.each([
      'select 1; select 2 -- x\r; commit; select current_user',
      'select 1 as a$b$; commit; select current_user as "$b$"',
    ])('cannot be left by %j', async (text) => {
      await run(async (sql, scope) => {
        await expect(sql.unsafe(text)).rejects.toMatchObject({ code: '0A000' })
        await expect(
          scope.transaction(async (tx) => {
            await tx`insert into marks values ('undone')`
            await tx.unsafe(text).catch(() => undefined)
            throw new RangeError('no')
          }),
        ).rejects.toThrow(RangeError)
      })
      expect(await marks()).toEqual([])
    })

    it('take backslashes for what they are', async () => {
      await run(async (sql, scope) => {
        const text = "select 'abc1' ~ '\\d' as digit, case when true then 'end' end as word"
        const expected = [{ digit: true, word: 'end' }]
        expect(await sql.unsafe(text)).toEqual(expected)
        expect(await scope.transaction((tx) => tx.unsafe(text))).toEqual(expected)
        const tagged = scope.transaction(
          (tx) => tx`select 'abc1' ~ '\\d' as digit, case when ${true} then 'end' end as word`,
        )
        expect(await tagged).toEqual(expected)
      })
    })

    it('say that a failed one was not committed, however COMMIT is written', async () => {
      await run(async (_sql, scope) => {
        for (const text of ['/* app */ commit', 'end;', 'commit -- so']) {
          const reserved = await scope.sql.reserve()
          await reserved`begin`
          await reserved`select 1 / 0`.catch(() => undefined)
          await expect(reserved.unsafe(text), text).rejects.toMatchObject({ code: '40000' })
          reserved.release()
        }
      })
    })

    it('mean the tables of their own role, however often others asked the same', async () => {
      await bed.sql.unsafe(`
        create schema if not exists anon; create schema if not exists authenticated;
        drop table if exists anon.items, authenticated.items;
        create table anon.items (v text); create table authenticated.items (v jsonb);
        grant usage on schema anon to anon; grant usage on schema authenticated to authenticated;
        grant all on anon.items to anon; grant all on authenticated.items to authenticated`)
      await run(async (sql, scope) => {
        const nobody = scope.as(undefined).sql
        for (let round = 0; round < 3; round += 1) {
          await sql`insert into items values (${{ n: round } as never})`
          await nobody`insert into items values (${`x${round}`})`
        }
        expect(await sql`select v from items`).toHaveLength(3)
        const plain = await nobody`select v from items order by v`
        expect(plain.map(({ v }) => v)).toEqual(['x0', 'x1', 'x2'])
      })
    })
  })
})
