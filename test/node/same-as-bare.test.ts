import fc from 'fast-check'
import { createDatabase, type Scope } from 'nullpool'
import postgresJs from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** A kind of parameter: how it is asked for, and values of it. */
type Kind = [cast: string, values: fc.Arbitrary<unknown>]

const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'))
const json = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('\\u0000'))
const date = fc.date({
  min: new Date('0001-01-01'),
  max: new Date('9999-01-01'),
  noInvalidDate: true,
})

const KINDS: readonly Kind[] = [
  ['text', text],
  ['varchar', text],
  ['int4', fc.integer()],
  ['int8', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  ['float8', fc.double({ noNaN: true, noDefaultInfinity: true })],
  ['numeric', fc.float({ noNaN: true, noDefaultInfinity: true })],
  ['bool', fc.boolean()],
  ['timestamptz', date],
  ['timestamp', date],
  ['date', date],
  ['bytea', fc.uint8Array().map((bytes) => Buffer.from(bytes))],
  ['uuid', fc.uuid()],
  ['jsonb', json.filter((value) => typeof value === 'object' && value !== null)],
  ['json', json.filter((value) => typeof value === 'object' && value !== null)],
  ['int4', fc.constant(null)],
  ['text', fc.constant(null)],
]

/** What a promise comes to, comparable. */
async function outcome(work: () => Promise<unknown>): Promise<unknown> {
  try {
    const rows = (await work()) as postgresJs.RowList<postgresJs.Row[]>
    const { columns, command, count } = rows
    return {
      rows: [...rows],
      command,
      count,
      columns: columns?.map(({ name, type }) => ({ name, type })),
    }
  } catch (error) {
    const { name, code, message, position } = error as postgresJs.PostgresError
    return { name, code, message, position }
  }
}

describe.each([
  ['PgBouncer', pgbouncer],
  ['Postgres', postgres],
] as const)('a parameterised query on %s', (_name, target) => {
  describe.skipIf(!target)('is the same as on postgres.js bare', () => {
    let bed: TestDatabase
    let bare: postgresJs.Sql
    let scope: Scope
    beforeAll(async () => {
      bed = await createTestDatabase()
      const url = bed.url(target ?? postgres)
      bare = postgresJs(url, { prepare: false, fetch_types: false, max: 1 })
      scope = createDatabase({ url }).scope()
    })
    afterAll(async () => {
      await scope.close()
      await bare.end()
      await bed[Symbol.asyncDispose]()
    })

    it.each(KINDS)('of the type %s', async (cast, values) => {
      await fc.assert(
        fc.asyncProperty(values, async (value) => {
          const ask = (sql: postgresJs.Sql) => () =>
            sql`select ${value as string}::${sql.unsafe(cast)} as value, ${value as string}::${sql.unsafe(cast)} is null as empty`
          expect(await outcome(ask(scope.sql))).toEqual(await outcome(ask(bare)))
        }),
        { numRuns: 40, seed: 3 },
      )
    })

    it('of several types at once, in any order, however often', async () => {
      const parameters = fc.array(
        fc.oneof(...KINDS.map(([cast, values]) => values.map((value) => ({ cast, value })))),
        { minLength: 1, maxLength: 6 },
      )
      await fc.assert(
        fc.asyncProperty(parameters, async (given) => {
          const query = `select ${given.map(({ cast }, at) => `$${at + 1}::${cast} as c${at}`).join(', ')}`
          const values = given.map(({ value }) => value)
          const ask = (sql: postgresJs.Sql) => () => sql.unsafe(query, values as string[])
          const expected = await outcome(ask(bare))
          expect(await outcome(ask(scope.sql))).toEqual(expected)
          expect(await outcome(ask(scope.sql))).toEqual(expected)
        }),
        { numRuns: 60, seed: 5 },
      )
    })

    it.each([
      ['a syntax error', 'selekt $1', [1]],
      ['a table that is not there', 'select * from nowhere where a = $1', [1]],
      ['a value that does not fit', 'select $1::int as a', ['x']],
      ['a division by zero', 'select 1 / $1::int as a', [0]],
      ['too few values', 'select $1::int + $2::int as a', [1]],
      ['no rows', 'select 1 where $1', [false]],
      ['a statement without rows', "select set_config('a.b', $1, true)", ['x']],
    ])('with %s, twice', async (_what, query, values) => {
      const ask = (sql: postgresJs.Sql) => () => sql.unsafe(query, values as string[])
      for (let time = 0; time < 2; time++) {
        expect(await outcome(ask(scope.sql))).toEqual(await outcome(ask(bare)))
      }
    })

    it('described, twice', async () => {
      const describing = (sql: postgresJs.Sql) => sql`select ${1}::int as a, ${'x'} as b`.describe()
      for (let time = 0; time < 2; time++) {
        const { string, types, columns } = await describing(scope.sql)
        const expected = await describing(bare)
        expect({
          string,
          types,
          columns: columns.map(({ name, type }) => ({ name, type })),
        }).toEqual({
          string: expected.string,
          types: expected.types,
          columns: expected.columns.map(({ name, type }) => ({ name, type })),
        })
        expect(await scope.sql`select ${1}::int as a, ${'x'} as b`).toEqual([{ a: 1, b: 'x' }])
      }
    })

    it('through a migration, but for what was already under way', async () => {
      const table = `t_${Math.random().toString(36).slice(2)}`
      await bed.sql.unsafe(`create table ${table} (v int)`)
      const insert = (value: unknown) =>
        scope.sql.unsafe(`insert into ${table} values ($1) returning *`, [value as string])
      expect(await insert(1)).toEqual([{ v: 1 }])
      expect(await insert(2)).toEqual([{ v: 2 }])
      await bed.sql.unsafe(`alter table ${table} alter column v type text, add column w int`)
      // Written for an int, which an int's text is; the row is the server's.
      expect(await insert(3)).toEqual([{ v: '3', w: null }])
      await bed.sql.unsafe(`alter table ${table} alter column v type jsonb using to_jsonb(v)`)
      expect(await insert(JSON.stringify({ a: 1 }))).toEqual([{ v: { a: 1 }, w: null }])
      // By now it is known again, and an object is written as JSON.
      expect(await insert({ b: 2 })).toEqual([{ v: { b: 2 }, w: null }])
    })
  })
})
