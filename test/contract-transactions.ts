import assert from 'node:assert/strict'
import type { Place, Test } from './contract.ts'

/** What every runtime must show of transactions. */
export function transactions(test: Test, { run }: Place): void {
  test('sql.begin commits, rolls back and nests', () =>
    run(async ({ sql }) => {
      const table = sql(`t_${crypto.randomUUID().replaceAll('-', '')}`)
      await sql`create table ${table} (n int primary key)`
      await sql.begin(async (tx) => {
        await tx`insert into ${table} values (${1})`
        await tx
          .savepoint(async (inner) => {
            await inner`insert into ${table} values (${2})`
            await inner`insert into ${table} values (${1})`
          })
          .catch((error: { code: string }) => assert.equal(error.code, '23505'))
        await tx`insert into ${table} values (${3})`
      })
      const refused = sql.begin(async (tx) => {
        await tx`insert into ${table} values (${4})`
        throw new Error('no')
      })
      await assert.rejects(refused, /^Error: no$/)
      const rows = await sql`select n from ${table} order by n`
      assert.deepEqual(
        rows.map((row) => row.n),
        [1, 3],
      )
      await sql`drop table ${table}`
    }))

  test('transaction() commits when its work resolves, and gives its result', () =>
    run(async (scope) => {
      await scope.sql`drop table if exists contract_money`
      await scope.sql`create table contract_money (n int)`
      const result = await scope.transaction(async (sql) => {
        await sql`insert into contract_money values (${1})`
        return 'done'
      })
      assert.equal(result, 'done')
      await assert.rejects(
        scope.transaction(async (sql) => {
          await sql`insert into contract_money values (${2})`
          throw new RangeError('no')
        }),
        RangeError,
      )
      assert.deepEqual([...(await scope.sql`select n from contract_money`)], [{ n: 1 }])
      await scope.sql`drop table contract_money`
    }))

  test('callbacks of a statement are in its transaction', () =>
    run(async (scope) => {
      await scope.sql`select 1`
      const seen: unknown[] = []
      await scope.transaction({ settings: { 'nullpool.inside': 'yes' } }, async (sql) => {
        const batches: Promise<unknown>[] = []
        const setting = 'nullpool.inside'
        await sql`select 1`.forEach(() => {
          batches.push(
            scope.batch((inner) => [inner`select current_setting(${setting}, true) as inside`]),
          )
        })
        seen.push(...(await Promise.all(batches)).flat(2))
      })
      assert.deepEqual(
        seen.map((row) => ({ ...(row as object) })),
        [{ inside: 'yes' }],
      )
    }))

  test('transaction() in a transaction is a savepoint', () =>
    run(async (scope) => {
      const seen = await scope.transaction(async (sql) => {
        await sql`create temporary table contract_points (n int) on commit drop`
        await sql`insert into contract_points values (1)`
        const failing = scope.transaction(async (inner) => {
          await inner`insert into contract_points values (2)`
          await inner`select 1 / 0`
        })
        await assert.rejects(failing, { code: '22012' })
        await scope.transaction((inner) => inner`insert into contract_points values (3)`)
        return sql`select array_agg(n order by n) as all from contract_points`
      })
      assert.deepEqual(seen[0]?.all, [1, 3])
    }))

  test('transaction() takes back its handle, and keeps it for itself', () =>
    run(async (scope) => {
      const { sql, dangling } = await scope.transaction(async (sql) => ({
        sql,
        dangling: [sql`select 1`, 0] as const,
      }))
      const over = { code: 'ERR_TRANSACTION_OVER' }
      await assert.rejects(async () => sql`select 1`, over)
      await assert.rejects(async () => sql.unsafe('select 1'), over)
      await assert.rejects(async () => sql.savepoint(async () => 1), over)
      await assert.rejects(async () => dangling[0], over)
      await assert.rejects(
        scope.transaction((inner) => inner`commit`),
        { code: '2D000' },
      )
    }))

  test('transaction() brings statements that nobody awaits to the same end', () =>
    run(async (scope) => {
      await scope.sql`drop table if exists contract_unawaited`
      await scope.sql`create table contract_unawaited (n int)`
      const unawaited: Promise<unknown>[] = []
      const insert = (n: number, fails: boolean): Promise<unknown> =>
        scope.transaction(async (sql) => {
          const statement = sql`insert into contract_unawaited values (${n})`
          unawaited.push(statement.catch((error: unknown) => error))
          if (fails) throw new RangeError('no')
        })
      await insert(1, false)
      await assert.rejects(insert(2, true), RangeError)
      await Promise.all(unawaited)
      assert.deepEqual([...(await scope.sql`select n from contract_unawaited`)], [{ n: 1 }])
      await scope.sql`drop table contract_unawaited`
    }))

  test('transaction() that uses nothing opens nothing', () =>
    run(async (scope) => {
      assert.equal(await scope.transaction(async () => 1), 1)
      assert.equal(scope.metrics.connects, 0)
    }))

  test('transaction() takes isolation, modes and settings', () =>
    run(async (scope) => {
      const options = {
        isolation: 'serializable',
        readOnly: true,
        deferrable: true,
        settings: { statement_timeout: '1234ms', 'my.name': `it's "me"; \\` },
      } as const
      const [row] = await scope.transaction(
        options,
        (sql) => sql`
          select current_setting('transaction_isolation') as isolation,
            current_setting('transaction_read_only') as "readOnly",
            current_setting('transaction_deferrable') as deferrable,
            current_setting('statement_timeout') as timeout, current_setting('my.name') as name`,
      )
      assert.deepEqual(
        { ...row },
        {
          isolation: 'serializable',
          readOnly: 'on',
          deferrable: 'on',
          timeout: '1234ms',
          name: `it's "me"; \\`,
        },
      )
      const [after] = await scope.sql`select current_setting('my.name', true) as name`
      assert.ok(!after?.name)
    }))

  test('transaction() whose error was swallowed is not committed, and says so', () =>
    run(async (scope) => {
      const working = scope.transaction(async (sql) => {
        await sql`select 1 / 0`.catch(() => undefined)
      })
      await assert.rejects(working, { code: 'ERR_TRANSACTION_ROLLED_BACK', outcome: 'rolled back' })
    }))

  test('transaction() runs its work again after a conflict, as often as it is told', () =>
    run(async (scope) => {
      let runs = 0
      const raise = scope.transaction({ retries: 2 }, async (sql) => {
        runs += 1
        await sql.unsafe("do $$ begin raise sqlstate '40001'; end $$")
      })
      await assert.rejects(raise, { code: '40001' })
      assert.equal(runs, 3)
      const result = await scope.transaction({ retries: 1 }, async (sql) => {
        runs += 1
        if (runs === 4) await sql.unsafe("do $$ begin raise sqlstate '40P01'; end $$")
        return (await sql`select ${runs}::int as runs`)[0]?.runs
      })
      assert.equal(result, 5)
    }))
}
