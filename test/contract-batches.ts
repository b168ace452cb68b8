import assert from 'node:assert/strict'
import type { Sql } from 'nullpool'
import type { Place, Test } from './contract.ts'

/** What every runtime must show of `batch()`. */
export function batches(test: Test, { run, connect }: Place): void {
  test('batch() gives the results of its statements in their order', () =>
    run(async (scope) => {
      const [numbers, texts, nothing, raw] = await scope.batch((sql) => [
        sql<{ n: number }[]>`select ${1}::int as n union all select 2 order by 1`,
        sql<{ text: string }[]>`select ${'a'}::text as text`,
        sql`select 1 where false`,
        sql`select ${3}::int as n, 'x' as x`.values(),
      ])
      const first: number | undefined = numbers[0]?.n
      const text: string | undefined = texts[0]?.text
      assert.deepEqual([first, text, numbers.length], [1, 'a', 2])
      assert.deepEqual([...nothing], [])
      assert.deepEqual([...raw], [[3, 'x']])
    }))

  test('batch() of many statements, large and small, with and without values', () =>
    run(async (scope) => {
      const large = 'x'.repeat(200_000)
      const lengths = Array.from({ length: 60 }, (_, n) => (n % 7 === 3 ? large.length : n))
      const results = await scope.batch((sql) =>
        lengths.map((length, n) =>
          n % 3 === 1
            ? sql.unsafe(`select ${n} as n, repeat('x', ${length}) as x`)
            : sql`select ${n}::int as n, ${'x'.repeat(length)}::text as x`,
        ),
      )
      assert.deepEqual(
        results.map(([row]) => [row?.n, row?.x.length]),
        lengths.map((length, n) => [n, length]),
      )
    }))

  test('batch() is all or nothing, and says which statement failed', () =>
    run(async (scope) => {
      await scope.sql`drop table if exists contract_batch`
      await scope.sql`create table contract_batch (n int unique deferrable initially deferred)`
      const rows = async (): Promise<unknown[]> =>
        (await scope.sql`select n from contract_batch order by n`).map(({ n }) => n)
      await assert.rejects(
        scope.batch((sql) => [
          sql`insert into contract_batch values (${1})`,
          sql`insert into contract_batch select 1 / ${0}::int`,
          sql`insert into contract_batch values (2)`,
        ]),
        { code: '22012' },
      )
      assert.deepEqual(await rows(), [])
      await assert.rejects(
        scope.batch((sql) => [
          sql`insert into contract_batch values (7)`,
          sql`insert into contract_batch values (7)`,
          sql`select 1`,
        ]),
        { code: '23505' },
      )
      assert.deepEqual(await rows(), [])
      await scope.batch((sql) =>
        [1, 2, 3].map((n) => sql`insert into contract_batch values (${n})`),
      )
      assert.deepEqual(await rows(), [1, 2, 3])
      await scope.sql`drop table contract_batch`
    }))

  test('batch() refuses what is no statement of its own, before anything is sent', () =>
    run(async (scope) => {
      const invalid = { code: 'ERR_OPTIONS' }
      assert.deepEqual(await scope.batch(() => []), [])
      await assert.rejects(
        scope.batch((sql) => [sql`select 1`, 2 as never]),
        invalid,
      )
      await assert.rejects(
        scope.batch((sql) => sql`select 1` as never),
        invalid,
      )
      await assert.rejects(scope.batch(undefined as never), invalid)
      for (const more of [
        (sql: Sql) => sql`select 1`.cursor(1, () => undefined),
        (sql: Sql) => sql`select 1`.cursor(1),
        (sql: Sql) => sql`select 1`.describe(),
        (sql: Sql) => sql`select 1`.forEach(() => {}),
        (sql: Sql) => sql`select 1`.execute(),
      ]) {
        await assert.rejects(
          scope.batch((sql) => [sql`select 1`, more(sql) as never]),
          invalid,
        )
      }
      const used = scope.sql`select 1`
      await used
      await assert.rejects(
        scope.batch(() => [used]),
        invalid,
      )
      await assert.rejects(
        scope.batch((sql) => {
          const twice = sql`select 1`
          return [twice, twice]
        }),
        invalid,
      )
      for (const text of ['commit', 'begin', 'rollback', '/* */ END']) {
        await assert.rejects(
          scope.batch((sql) => [sql`select 1`, sql.unsafe(text)]),
          {
            code: '2D000',
          },
        )
      }
      for (const text of ['select 1; select 2', 'copy pg_class to stdout']) {
        await assert.rejects(
          scope.batch((sql) => [sql`select 1`, sql.unsafe(text)]),
          {
            code: '0A000',
          },
        )
      }
      await assert.rejects(
        scope.batch((sql) => [sql`select 1`, sql`select ${undefined as never}`, sql`select 2`]),
        { code: 'UNDEFINED_VALUE' },
      )
      assert.deepEqual([...(await scope.sql`select 1 as n`)], [{ n: 1 }])
    }))

  test('batch() beside other statements, and in a transaction', () =>
    run(async (scope) => {
      const [one, [two], three] = await Promise.all([
        scope.sql`select ${1}::int as n`,
        scope.batch((sql) => [sql<{ n: number }[]>`select ${2}::int as n`]),
        scope.sql`select 3 as n`,
      ])
      assert.deepEqual([one[0]?.n, two[0]?.n, three[0]?.n], [1, 2, 3])
      const inside = await scope.transaction(async (sql) => {
        const [before] = await sql`select txid_current()::text as id`
        const [[during]] = await scope.batch((sql) => [
          sql<{ id: string }[]>`select txid_current()::text as id`,
        ])
        return [before?.id, during?.id]
      })
      assert.equal(inside[0], inside[1])
    }))

  test('batch() takes statements of its own scope alone', () =>
    // Claims are refused to a Hyperdrive that may keep rows; here it does not.
    connect({ hyperdriveCaching: false }).run({}, async (scope) => {
      const own = { code: 'ERR_OPTIONS' }
      const other = scope.as({})
      await assert.rejects(
        scope.batch(() => [other.sql`select current_user`]),
        own,
      )
      await assert.rejects(
        other.batch(() => [scope.sql`select current_user`]),
        own,
      )
      await scope.transaction(async (sql) => {
        await assert.rejects(
          scope.batch(() => [other.sql`select current_user`]),
          own,
        )
        const [[row]] = await scope.batch(() => [sql<{ n: number }[]>`select 1 as n`])
        assert.equal(row?.n, 1)
        await assert.rejects(
          scope.batch(() => [scope.sql`select 1`]),
          own,
        )
      })
      const [[row]] = await scope.batch(() => [scope.sql<{ n: number }[]>`select 2 as n`])
      assert.equal(row?.n, 2)
    }))
}
