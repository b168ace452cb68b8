import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import {
  createDatabase,
  type DatabaseOptions,
  type Scope,
  type Sql,
  type TransactionSql,
} from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { claimsOf, userId } from '../support/supabase-schema.ts'
import { useCountedDatabase } from '../support/use-counted-database.ts'

const { pgbouncer, postgres } = inject('servers')

describe.each([
  ['Postgres', postgres],
  ['PgBouncer', pgbouncer],
] as const)('batch() on %s', (_name, target) => {
  describe.skipIf(!target)('of the test bed', () => {
    const counted = useCountedDatabase(target ?? postgres)
    afterEach(async () => {
      await counted.proxy.until(({ connections }) => connections.every(({ open }) => !open))
      counted.proxy.reset()
      await counted.bed.sql`truncate notes`
    })
    const open = (options: DatabaseOptions = {}): Scope =>
      createDatabase({ url: counted.bed.url(counted.proxy), ...options }).scope()

    it.each(['supavisor', 'pgbouncer', 'postgres'] as const)(
      'takes one trip, and one more where statements are new, with pooler %s',
      async (pooler) => {
        await using scope = open({ pooler })
        await scope.sql`select 1`
        const trips: number[] = []
        const shape = `of ${pooler} on ${_name}`
        for (const size of [3, 20, 20]) {
          const { turns } = counted.proxy
          const results = await scope.batch((sql) =>
            Array.from({ length: size }, (_, n) =>
              sql.unsafe(`select $1::int as n, '${shape} ${n % 5}' as x`, [n]),
            ),
          )
          expect(results.map(([row]) => row?.n)).toEqual(results.map((_, n) => n))
          trips.push(counted.proxy.turns - turns)
        }
        expect(trips).toEqual([2, 2, 1])
      },
    )

    it.each(['transaction()', 'sql.begin()', 'savepoint()', 'transaction of Drizzle’s'] as const)(
      'begins no %s beside its statements',
      async (how) => {
        await using scope = open()
        const hide = async (inner: Sql | TransactionSql): Promise<unknown> =>
          inner`insert into notes (owner, body) values (${userId(1)}, 'hidden')`
        const insert = async (inner: Pick<PostgresJsDatabase, 'execute'>): Promise<unknown> =>
          inner.execute(`insert into notes (owner, body) values ('${userId(1)}', 'hidden')`)
        const runs = {
          'transaction()': () =>
            scope.batch((sql) => [sql`select 1`, scope.transaction(hide)] as const),
          'sql.begin()': () => scope.batch((sql) => [sql`select 1`, sql.begin(hide)] as const),
          'transaction of Drizzle’s': () =>
            scope.batch(
              (sql) => [sql`select 1`, drizzle(drizzleClient(scope)).transaction(insert)] as const,
            ),
          'savepoint()': () =>
            scope.transaction((outer) =>
              scope.batch(() => [outer`select 1`, outer.savepoint(hide)] as const),
            ),
        }
        const run = runs[how]()
        await expect(run).rejects.toMatchObject({
          code: 'ERR_OPTIONS',
          message: expect.stringContaining('cannot begin a transaction'),
        })
        expect(await scope.sql`select from notes`).toHaveLength(0)
        expect(await scope.transaction((sql) => sql`select 1 as x`)).toEqual([{ x: 1 }])
      },
    )

    it('takes plain statements too, also one that servers read in two ways', async () => {
      await using scope = open()
      const results = await scope.batch((sql) => [
        sql.unsafe("select 'a\\b' as x"),
        sql.unsafe('select 2 as x'),
        sql`select ${3}::int as x`,
      ])
      expect(results.map(([row]) => row?.x)).toEqual(['a\\b', 2, 3])
    })

    it('runs under claims, in the same trip', async () => {
      await using scope = open({ pooler: 'supavisor' })
      const someone = scope.as(claimsOf(1))
      const work = () =>
        someone.batch((sql) => [
          sql`insert into notes (body) values (${'mine'}) returning owner`,
          sql`select current_user as role, count(*)::int as n from notes`,
        ])
      await work()
      const { turns } = counted.proxy
      const [[inserted], [seen]] = await work()
      expect(counted.proxy.turns - turns).toBe(1)
      expect(inserted).toEqual({ owner: userId(1) })
      expect(seen).toEqual({ role: 'authenticated', n: 2 })
      const [own] = await scope.sql`select current_user as role`
      expect(own?.role).not.toBe('authenticated')
      await expect(
        someone.batch((sql) => [
          sql`insert into notes (body) values (${'half'})`,
          sql`insert into notes (body, owner) values ('forged', ${userId(2)})`,
        ]),
      ).rejects.toMatchObject({ code: '42501' })
      expect((await counted.bed.sql`select body from notes`).map(({ body }) => body)).toEqual([
        'mine',
        'mine',
      ])
    })

    it('stands beside transactions and other batches, thirty at once', async () => {
      await using scope = open()
      const work = Array.from({ length: 30 }, async (_, n) => {
        const someone = n % 2 ? scope : scope.as(claimsOf(n))
        if (n % 5 === 0) {
          const rows = await someone.transaction((sql) => sql`select ${n}::int as n`)
          return [rows[0]?.n]
        }
        const results = await someone.batch((sql) => [
          sql<{ n: number }[]>`select ${n}::int as n`,
          sql<{ n: number; uid: string }[]>`select ${n + 100}::int as n, auth.uid() as uid`,
        ])
        if (n % 2 === 0) expect(results[1][0]?.uid).toBe(userId(n))
        return results.map(([row]) => row?.n)
      })
      const expected = work.map((_, n) => (n % 5 === 0 ? [n] : [n, n + 100]))
      expect(await Promise.all(work)).toEqual(expected)
    })

    it('is cancelled with its request, and takes no effect', async () => {
      const scope = open({ queryTimeoutMs: 2_000 })
      const failing = scope.batch((sql) => [
        sql`insert into notes (owner, body) values (${userId(1)}, 'late')`,
        sql`select pg_sleep(20)`,
      ])
      await expect(failing).rejects.toMatchObject({ code: 'ERR_QUERY_TIMEOUT', outcome: 'unknown' })
      await scope.close()
      await expect
        .poll(async () => {
          const [row] = await counted.bed.sql`
            select count(*)::int as n from pg_stat_activity
            where datname = current_database() and query like '%pg_sleep(20)%' and state = 'active'
              and pid <> pg_backend_pid()`
          return row?.n
        })
        .toBe(0)
      expect(await counted.bed.sql`select 1 from notes`).toHaveLength(0)
    })

    it('gives up before anything is sent where a value cannot be written', async () => {
      await using scope = open()
      await scope.sql`insert into notes (owner, body) values (${userId(1)}, ${'first'})`
      const bad = {
        toString() {
          throw new RangeError('no text')
        },
      }
      await expect(
        scope.batch((sql) => [
          sql`insert into notes (owner, body) values (${userId(1)}, ${'second'})`,
          sql`insert into notes (owner, body) values (${userId(1)}, ${bad as never})`,
          sql`insert into notes (owner, body) values (${userId(1)}, ${'third'})`,
        ]),
      ).rejects.toThrow('no text')
      expect((await scope.sql`select body from notes`).map(({ body }) => body)).toEqual(['first'])
    })

    it('fails with the connection, all of it', async () => {
      const scope = open()
      const failing = scope.batch((sql) => [
        sql`insert into notes (owner, body) values (${userId(1)}, 'lost')`,
        sql`select pg_terminate_backend(pg_backend_pid())`,
        sql`select 1`,
      ])
      await expect(failing).rejects.toMatchObject({ outcome: 'unknown' })
      await scope.close()
      expect(await counted.bed.sql`select 1 from notes`).toHaveLength(0)
      const refused = createDatabase({
        url: 'postgres://a:b@localhost:1/c',
        tls: 'disable',
      }).scope()
      await expect(refused.batch((sql) => [sql`select 1`, sql`select 2`])).rejects.toMatchObject({
        code: 'ERR_CONNECT_REFUSED',
        outcome: 'rolled back',
        retryable: true,
      })
    })
  })
})
