import assert from 'node:assert/strict'
import type { Place, Test } from './contract.ts'

/** What every runtime must show of values on their way there and back. */
export function values(test: Test, { run }: Place): void {
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

  test('large values travel whole, both ways', () =>
    run(async ({ sql }) => {
      const text = 'ü漢x'.repeat(500_000)
      const bytes = Uint8Array.from({ length: 1_000_000 }, (_, n) => n % 251)
      const [row] = await sql`select ${text}::text as text, ${bytes}::bytea as bytes`
      assert.ok(row?.text === text)
      assert.equal(row?.bytes.length, bytes.length)
      assert.ok(bytes.every((byte, n) => row?.bytes[n] === byte))
    }))

  test('a value of one statement is never taken for that of another', () =>
    run(async ({ sql }) => {
      const texts = ['', ' ', 'null', '\\', "'", '"', '$1', '{}', '\u2028', '\u{1f4da}', 'مرحبا']
      const rows = await Promise.all(texts.map((text) => sql`select ${text}::text as text`))
      assert.deepEqual(
        rows.map(([row]) => row?.text),
        texts,
      )
    }))
}
