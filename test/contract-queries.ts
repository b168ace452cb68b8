import assert from 'node:assert/strict'
import type { Place, Test } from './contract.ts'

/** What every runtime must show of statements. */
export function queries(test: Test, { run }: Place): void {
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

  test('sql.unsafe runs several statements', () =>
    run(async ({ sql }) => {
      const results = (await sql.unsafe('select 1 as a; select 2 as b')) as unknown as unknown[][]
      assert.deepEqual(
        results.map((rows) => ({ ...(rows[0] as object) })),
        [{ a: 1 }, { b: 2 }],
      )
    }))

  test('sql.reserve resolves as the first act', () =>
    run(async ({ sql }) => {
      const reserved = await sql.reserve()
      assert.equal((await reserved`select 1 as n`)[0]?.n, 1)
      reserved.release()
    }))
}
