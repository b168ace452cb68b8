import fc from 'fast-check'
import { Kysely, PostgresDialect, sql as raw } from 'kysely'
import { postgresDriver } from 'nullpool'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { KyselyBed } from '../support/kysely-bed.ts'
import type { Library } from '../support/library-schema.ts'

type Db = Kysely<Library>

const TYPES = [
  ...['jsonb', 'json', 'bool', 'timestamptz', 'timestamp', 'date', 'time', 'timetz', 'interval'],
  ...['text', 'varchar', 'char(4)', 'uuid', 'bytea', 'int2', 'int4', 'int8', 'numeric', 'float8'],
  ...['text[]', 'int4[]', 'bool[]', 'bytea[]', 'jsonb[]', 'timestamptz[]', 'date[]', 'numeric[]'],
  ...['point', 'inet', 'int4range', 'oid', 'xml', 'bit(3)'],
]

const bytes = Buffer.from('{"a": "ü"}')

const VALUES: readonly unknown[] = [
  ...['', 'x', ' y ', 'true', 'yes', 'f', '0', '12', '-1.5e3', 'null', 'NaN', '{}', '{1,NULL}'],
  ...['{"a":1}', '[1]', '"text"', '{"a b",c}', '{t,f}', '{12:00}', '(1,2)', '[1,5)', '\\x00ff'],
  ...['2024-01-01', '2024-01-01 10:00:00.123456', '2024-01-01 10:00:00.123456+05:30', 'epoch'],
  ...['infinity', '-infinity', '0044-03-15 BC', '12:00:00.5', '1 day 2 hours', '101', '::1'],
  ...['3b241101-e2bb-4255-8caf-4136c566a962', `it's "ü" \\ 😀`],
  ...[0, -0, 12, 1.5, 1e21, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY, 10n, -(2n ** 63n)],
  ...[true, false, null, undefined],
  ...[{}, { a: 1 }, { a: [1, null, 'x'], b: { c: new Date(0) } }, { toJSON: () => [1] }],
  ...[
    [],
    [1, 2],
    ['a', 'b"c\\', null, undefined, ''],
    [
      [1, 2],
      [3, 4],
    ],
    [true, false],
  ],
  ...[[{ a: 1 }, { b: '"' }], [new Date(0)], [bytes, new Uint8Array([1])], [10n]],
  ...[new Date(0), new Date('2024-07-01T12:34:56.789Z'), new Date('0099-01-01T00:00:00Z')],
  ...[new Date('-000043-03-15T12:00:00Z'), new Date('+010000-01-01T00:00:00Z')],
  ...[bytes, Buffer.alloc(0), new Uint8Array([0, 92, 255]), new Uint16Array([0x4141])],
  ...[new DataView(bytes.buffer, bytes.byteOffset, 4), new Uint8Array(8).subarray(2, 4)],
  ...[
    { toPostgres: () => '12' },
    { toPostgres: (write: (value: unknown) => unknown) => write([1]) },
  ],
]

const ZONES = [
  ['UTC', 0],
  ['America/St_Johns', 210],
  ['Asia/Kolkata', -330],
] as const

/** pg sends bytes as the binary form of whatever the type is; here they are for `bytea` and texts. */
const TEXTS = ['text', 'varchar', 'char(4)', 'json', 'xml', 'bytea']

/** How a value reads on the server, or the SQLSTATE with which it is refused, here or there. */
async function written(db: Db, value: unknown, type: string): Promise<unknown> {
  const cast = raw<{ text: string }>`select (${value}::${raw.raw(type)})::text as text`
  return cast.execute(db).then(
    ({ rows }) => rows[0]?.text,
    (error: Error) => (error instanceof TypeError ? '22021' : Reflect.get(error, 'code')),
  )
}

/** What is read, and of which kind. */
async function read(db: Db, expression: string): Promise<unknown> {
  return (await raw.raw(`select ${expression} as value`).execute(db)).rows
}

describe.skipIf(!inject('servers').pgbouncer)('values of Kysely, beside those of pg', () => {
  const bed = new KyselyBed()
  let plain: Db
  beforeAll(() => {
    const { postgres } = inject('servers')
    const pool = new pg.Pool({ connectionString: bed.database.url(postgres), max: 1 })
    plain = new Kysely<Library>({ dialect: new PostgresDialect({ pool }) })
  })
  afterEach(() => vi.unstubAllEnvs())
  afterAll(() => plain.destroy())

  it.each(ZONES)(
    'are written as pg writes them, every kind to every type, in %s',
    async (zone, offset) => {
      vi.stubEnv('TZ', zone)
      expect(new Date(2024, 0).getTimezoneOffset()).toBe(offset)
      await using scope = bed.open()
      const db = bed.on(scope)
      const different: unknown[] = []
      let refused = 0
      for (const type of TYPES) {
        for (const value of VALUES) {
          if (ArrayBuffer.isView(value) && !TEXTS.includes(type)) continue
          const [theirs, ours] = [await written(plain, value, type), await written(db, value, type)]
          if (/^[0-9A-Z]{5}$/.test(String(theirs))) refused += 1
          if (theirs !== ours) different.push({ type, value, theirs, ours })
        }
      }
      expect(different).toEqual([])
      expect(refused).toBeLessThan((TYPES.length * VALUES.length) / 1.2)
    },
    120_000,
  )

  it('are written into columns as pg writes them, and compared', async () => {
    await using scope = bed.open()
    const results = []
    for (const db of [plain, bed.on(scope)]) {
      const book = {
        title: { a: 1 },
        details: JSON.stringify({ a: 1 }),
        lent: 'yes',
        added_at: '2024-01-01 10:00:00.123456+00',
        local: 'infinity',
        tags: ['a', null, 'b,"c"'],
        cover: new Uint8Array([0, 255]),
      }
      await db
        .insertInto('books')
        .values(book as never)
        .execute()
      const found = await db
        .selectFrom('books')
        .select(['title', 'lent', 'local', 'tags', 'details', 'cover'])
        .select(raw`added_at::text`.as('at'))
        .where(raw`details`, '@>', JSON.stringify({ a: 1 }) as never)
        .where('lent', '=', 'true' as never)
        .execute()
      results.push(found)
      await db.deleteFrom('books').execute()
    }
    expect(results[1]).toEqual(results[0])
    expect(results[1]?.[0]).toMatchObject({ title: '{"a":1}', details: { a: 1 }, lent: true })
    expect(results[1]?.[0]?.at).toContain('.123456')
  })

  it('are written as pg writes them, whatever they are', async () => {
    await using scope = bed.open()
    const db = bed.on(scope)
    const text = fc.string({ unit: 'grapheme' }).filter((drawn) => !drawn.includes('\0'))
    const anything = fc.anything({
      ...{ key: text, withBigInt: false, withDate: true, maxDepth: 3 },
      values: [
        text,
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.date({ noInvalidDate: true }),
      ],
    })
    await fc.assert(
      fc.asyncProperty(
        anything,
        fc.constantFrom('text', 'jsonb', 'text[]'),
        async (value, type) => {
          expect(await written(db, value, type)).toEqual(await written(plain, value, type))
        },
      ),
      { numRuns: 300 },
    )
  }, 120_000)

  it.each(ZONES)(
    'are read as pg reads them, in %s',
    async (zone, offset) => {
      vi.stubEnv('TZ', zone)
      expect(new Date(2024, 0).getTimezoneOffset()).toBe(offset)
      await using scope = bed.open()
      const db = bed.on(scope)
      const expressions = [
        ...['1::int2', '1::int4', '1::int8', '1.50::numeric', '1.5::float4', "'NaN'::float8"],
        ...['true', 'null::bool', "'x'::text", "'x'::bytea", '7::oid', "'12'::money"],
        ...[`'{"a": [1, null]}'::jsonb`, "'null'::json", "array['{}'::jsonb, null]", "'::1'::inet"],
        ...["'{1,NULL}'::int4[]", "'{1}'::int8[]", `'{"a b",NULL}'::text[]`, "'{1.5}'::float8[]"],
        ...[
          "array['x'::bytea]",
          "'{t,f}'::bool[]",
          "'[1,5)'::int4range",
          'gen_random_uuid() is null',
        ],
        ...["'12:00'::time", "'12:00+02'::timetz", "'12:00'::time is null", "'{12:00}'::time[]"],
        ...['timestamptz', 'timestamp', 'date'].flatMap((type) =>
          ['2024-07-01 12:34:56.789123', '0099-12-31', '0044-03-15 BC', '12024-01-01', 'infinity']
            .concat('-infinity', '1883-11-18 12:00', '2024-03-10 02:30', '1937-06-01 00:00:00.5')
            .flatMap((text) => [`'${text}'::${type}`, `array['${text}'::${type}, null]`]),
        ),
      ]
      const different: unknown[] = []
      for (const expression of expressions) {
        const [theirs, ours] = [await read(plain, expression), await read(db, expression)]
        try {
          expect(ours).toStrictEqual(theirs)
        } catch {
          different.push({ expression, theirs, ours })
        }
      }
      expect(different).toEqual([])
    },
    120_000,
  )

  it('are read as the docs say where they are not as pg reads them', async () => {
    await using scope = bed.open()
    const db = bed.on(scope)
    const texts = ["interval '1 day'", 'point(1, 2)', 'circle(point(1, 2), 3)']
    const rows = await Promise.all(texts.map((expression) => read(db, expression)))
    expect(rows).toEqual([[{ value: '1 day' }], [{ value: '(1,2)' }], [{ value: '<(1,2),3>' }]])
    // pg makes numbers of these, which loses digits, and leaves the array as a text.
    expect(await read(db, "'{12345678901234567890.5}'::numeric[]")).toEqual([
      { value: ['12345678901234567890.5'] },
    ])
    expect(await read(db, "'{101}'::varbit[]")).toEqual([{ value: ['101'] }])
  })

  it('keep a day of the calendar from the one side to the other, wherever it is', async () => {
    for (const zone of ['America/Los_Angeles', 'Pacific/Auckland']) {
      vi.stubEnv('TZ', zone)
      await using scope = bed.open()
      const db = bed.on(scope)
      const day = new Date(2024, 6, 1)
      const { rows } = await raw<{ day: Date; text: string }>`
        select ${day}::date as day, ${day}::date::text as text`.execute(db)
      expect(rows).toEqual([{ day, text: '2024-07-01' }])
    }
  })

  it('are read by the types of the driver, where it has some', async () => {
    const asText = {
      to: 1082,
      from: [1082, 1184],
      serialize: String,
      parse: (text: string) => text,
    }
    const asBigInt = { to: 20, from: [20], serialize: String, parse: BigInt }
    const driver = postgresDriver({ types: { asText, asBigInt } as never })
    await using scope = bed.open({ driver })
    const db = bed.on(scope)
    const { rows } = await raw`
      select ${'2024-07-01'}::date as day, ${10n}::int8 as big, ${{ a: 1 }}::jsonb as json`.execute(
      db,
    )
    expect(rows).toEqual([{ day: '2024-07-01', big: 10n, json: { a: 1 } }])
  })

  it('leave those of raw sql alone, before and after', async () => {
    await using scope = bed.open()
    const db = bed.on(scope)
    const day = new Date('2024-07-01T00:00:00Z')
    const raws = async (): Promise<unknown> =>
      (await scope.sql`select ${day}::date as day, ${{ a: 1 } as never}::jsonb as json`)[0]
    const before = await raws()
    await raw`select ${day}::date as day`.execute(db)
    expect(await raws()).toEqual(before)
    expect(before).toEqual({ day, json: { a: 1 } })
  })
})
