import assert from 'node:assert/strict'
import type { Database, Scope } from 'nullpool'
import { aborting } from './contract-aborting.ts'
import { batchCalls } from './contract-batch.ts'
import { transactionCalls } from './contract-transactions.ts'

/** Runs one case under whatever test runner the runtime has. */
export type Test = (name: string, run: () => Promise<void>) => void

/** What a runtime has to bring: a database to which the URL of its own choosing leads. */
export interface ContractHost {
  database(): Database
}

/** What every runtime must show. Kept free of any test runner and of any runtime's own API. */
export function databaseContract(test: Test, host: ContractHost): void {
  const run = <T>(work: (scope: Scope) => Promise<T>): Promise<T> => host.database().run({}, work)
  values(test, run)
  queries(test, run)
  transactions(test, run)
  copies(test, run)
  aborting(test, run)
  transactionCalls(test, run)
  batchCalls(test, run)
  lifecycle(test, host)
}

/** Runs work in a scope of its own. */
export type Run = <T>(work: (scope: Scope) => Promise<T>) => Promise<T>

function values(test: Test, run: Run): void {
  test('sql returns the types that postgres.js documents', () =>
    run(async ({ sql }) => {
      const at = new Date('2026-01-02T03:04:05.678Z')
      const [row] = await sql`
        select ${1}::int as "int", ${'x'} as "text", ${true}::bool as "bool", ${null}::int as "null",
          ${at}::timestamptz as "date", ${sql.json({ a: [1] })}::jsonb as "json",
          ${new Uint8Array([0, 255])}::bytea as "bytea", ${12345678901234567890n.toString()}::numeric as "numeric",
          ${9007199254740993n as never}::bigint as "bigint", ${1.5}::float8 as "float"`
      assert.deepEqual(
        { ...row, bytea: [...((row?.bytea ?? []) as Uint8Array)] },
        {
          int: 1,
          text: 'x',
          bool: true,
          null: null,
          date: at,
          json: { a: [1] },
          bytea: [0, 255],
          numeric: '12345678901234567890',
          bigint: '9007199254740993',
          float: 1.5,
        },
      )
    }))

  test('an error of the server can be added to, as Kysely does to every one', () =>
    run(async ({ sql }) => {
      const failing = [sql`selec`, sql`select 1 / ${0}::int`, sql.unsafe('selec')]
      for (const error of await Promise.all(
        failing.map((each) => each.catch((thrown) => thrown)),
      )) {
        error.stack += '\n    at home'
        assert.match(error.stack, /PostgresError[\s\S]+at home$/)
        assert.match(error.code, /^(42601|22012)$/)
      }
    }))

  test('sql reads and writes arrays although no types are fetched', () =>
    run(async ({ sql }) => {
      const texts = ['a', 'b "quoted"', 'c\\d', 'e,f', '', 'NULL', 'ü']
      const [row] = await sql`
        select ${[1, 2, 3]}::int[] as ints, ${texts}::text[] as texts,
          ${sql.array([true, false])}::bool[] as bools, array[[1,2],[3,4]] as nested,
          '{1,null,3}'::int[] as nulls, '{}'::text[] as empty,
          array['2026-01-02'::date] as dates, '{"{\\"a\\":1}"}'::jsonb[] as jsons`
      assert.deepEqual(
        { ...row },
        {
          ints: [1, 2, 3],
          texts,
          bools: [true, false],
          nested: [
            [1, 2],
            [3, 4],
          ],
          nulls: [1, null, 3],
          empty: [],
          dates: [new Date('2026-01-02')],
          jsons: [{ a: 1 }],
        },
      )
    }))
}

function queries(test: Test, run: Run): void {
  test('sql takes fragments, identifiers and helpers', () =>
    run(async ({ sql }) => {
      const rows = [
        { id: 1, name: 'one' },
        { id: 2, name: 'two' },
      ]
      const found = await sql.begin(async (tx) => {
        await tx`create temporary table things (id int, name text) on commit drop`
        await tx`insert into things ${tx(rows)}`
        await tx`update things set ${tx({ name: 'zwei' })} where id = ${2}`
        const only = (name: string) => tx`where name = ${name}`
        return tx`select ${tx(['id', 'name'])} from things ${only('zwei')} and id in ${tx([1, 2])}`
      })
      assert.deepEqual([...found], [{ id: 2, name: 'zwei' }])
    }))

  test('sql keeps the order of 20 parameterised and 20 plain queries at once', () =>
    run(async ({ sql }) => {
      const numbers = Array.from({ length: 20 }, (_, index) => index)
      const found = await Promise.all(
        numbers.flatMap((number) => [
          sql`select ${number}::int as n`.then(([row]) => row?.n),
          sql.unsafe(`select ${number} as n`).then(([row]) => row?.n),
        ]),
      )
      assert.deepEqual(
        found,
        numbers.flatMap((number) => [number, number]),
      )
    }))

  test('sql streams a cursor in batches and may leave it early', () =>
    run(async ({ sql }) => {
      const sizes: number[] = []
      for await (const rows of sql`select generate_series(1, 250) as n`.cursor(100))
        sizes.push(rows.length)
      assert.deepEqual(sizes, [100, 100, 50])
      for await (const rows of sql`select generate_series(1, ${1000}::int) as n`.cursor(10)) {
        assert.equal(rows.length, 10)
        break
      }
      assert.equal((await sql`select 7 as n`)[0]?.n, 7)
    }))

  test('sql.unsafe runs several statements', () =>
    run(async ({ sql }) => {
      const results = (await sql.unsafe('select 1 as a; select 2 as b')) as unknown as unknown[][]
      assert.deepEqual(
        results.map((rows) => ({ ...(rows[0] as object) })),
        [{ a: 1 }, { b: 2 }],
      )
    }))

  test('sql rejects with the SQLSTATE and goes on', () =>
    run(async ({ sql }) => {
      await assert.rejects(async () => sql`select ${'x'}::int`, {
        name: 'PostgresError',
        code: '22P02',
      })
      await assert.rejects(async () => sql`select 1/0`, { name: 'PostgresError', code: '22012' })
      await assert.rejects(async () => sql`selct 1`, { name: 'PostgresError', code: '42601' })
      assert.equal((await sql`select 1 as n`)[0]?.n, 1)
    }))

  test('sql.reserve resolves as the first act', () =>
    run(async ({ sql }) => {
      const reserved = await sql.reserve()
      assert.equal((await reserved`select 1 as n`)[0]?.n, 1)
      reserved.release()
    }))

  test('sql.listen and sql.subscribe are refused with the way out', () =>
    run(async ({ sql }) => {
      await assert.rejects(() => sql.listen('news', () => {}), { code: 'ERR_SESSION_STATE' })
      await assert.rejects(() => sql.subscribe('*', () => {}), { code: 'ERR_SESSION_STATE' })
    }))

  test('sql cancels a running query on request', () =>
    run(async ({ sql }) => {
      const marker = crypto.randomUUID()
      const sleeping = sql.unsafe(`select pg_sleep(20) -- ${marker}`).execute()
      await run(async (watcher) => {
        for (let active = 0; active === 0; ) {
          const rows = await watcher.sql`
            select from pg_stat_activity
            where state = 'active' and pid <> pg_backend_pid() and query like ${`%${marker}`}`
          active = rows.length
        }
      })
      sleeping.cancel()
      await assert.rejects(async () => sleeping, { code: '57014' })
      assert.equal((await sql`select 1 as n`)[0]?.n, 1)
    }))
}

function transactions(test: Test, run: Run): void {
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
}

function copies(test: Test, run: Run): void {
  test('sql copies in and out', () =>
    run(async ({ sql }) => {
      await sql.begin(async (tx) => {
        await tx`create temporary table copied (n int, name text) on commit drop`
        const into = await tx`copy copied from stdin`.writable()
        await new Promise<void>((resolve, reject) => {
          into.on('error', reject)
          into.on('finish', resolve)
          for (let n = 0; n < 1000; n += 1) into.write(`${n}\tname ${n}\n`)
          into.end()
        })
        assert.equal((await tx`select count(*)::int as n from copied`)[0]?.n, 1000)
        let text = ''
        for await (const chunk of await tx`copy (select * from copied order by n) to stdout`.readable()) {
          text += String(chunk)
        }
        assert.equal(text.split('\n').length, 1001)
      })
    }))
}

function lifecycle(test: Test, host: ContractHost): void {
  test('scope() opens nothing, the first query opens one connection, close() ends it', async () => {
    const scope = host.database().scope()
    assert.equal(scope.metrics.connects, 0)
    for (let n = 0; n < 5; n += 1) await scope.sql`select ${n}::int`
    assert.equal(scope.metrics.connects, 1)
    await scope.close()
    await scope.close()
    await assert.rejects(async () => scope.sql`select 1`, { code: 'ERR_SCOPE_CLOSED' })
  })

  test('run() refuses a scope after its end, and from inside of another', async () => {
    const database = host.database()
    const leaked = await database.run({}, async (scope) => scope)
    await leaked.close()
    await assert.rejects(async () => leaked.sql`select 1`, { code: 'ERR_SCOPE_CLOSED' })
    await using open = database.scope()
    await database.run({}, () =>
      assert.rejects(async () => open.sql`select 1`, { code: 'ERR_SCOPE_FOREIGN' }),
    )
  })

  test('hold() keeps the connection for background work', async () => {
    let finished: Promise<unknown> = Promise.resolve()
    const scope = await host.database().run({}, async (scope) => {
      finished = scope.sql`select 1`.then(() => scope.sql`select 2`)
      scope.hold(finished)
      return scope
    })
    await finished
    assert.equal(scope.metrics.connects, 1)
    assert.equal(scope.metrics.queries, 2)
  })
}
