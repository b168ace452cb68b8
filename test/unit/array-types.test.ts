import fc from 'fast-check'
import postgres from 'postgres'
import { describe, expect, it } from 'vitest'
import { registerArrayTypes, type TypeOptions } from '../../src/drivers/array-types.ts'
import { type Item, readLiteral, writeLiteral } from '../support/array-literals.ts'

const sql = postgres({ host: 'nowhere.test', fetch_types: false })
const options = sql.options as unknown as TypeOptions
registerArrayTypes(options)

function parse(type: number, literal: string): unknown {
  return options.parsers[type]?.(literal)
}

function serialize(type: number, value: unknown): unknown {
  return options.serializers[type]?.(value)
}

const OID = {
  ...{ bool: 1000, bytea: 1001, int2: 1005, int4: 1007, text: 1009, box: 1020, int8: 1016 },
  ...{ timestamptz: 1185, date: 1182, numeric: 1231, json: 199, jsonb: 3807, uuid: 2951 },
} as const

const awkward = fc.constantFrom(
  '',
  'NULL',
  'null',
  '"',
  '\\',
  '{',
  '}',
  ',',
  ' ',
  '\n',
  '\\"',
  "'",
  ';',
  'ünï',
  '{}',
)
const text = fc.oneof(fc.string({ unit: 'grapheme' }), awkward, fc.string())
const day = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })

interface Kind {
  type: number
  values: fc.Arbitrary<unknown>
  /** The text of an element as Postgres writes it. */
  write: (value: never) => string
}

const KINDS: readonly [string, Kind][] = [
  ['text', { type: OID.text, values: text, write: String }],
  ['int4', { type: OID.int4, values: fc.integer(), write: String }],
  ['int2', { type: OID.int2, values: fc.integer({ min: -32768, max: 32767 }), write: String }],
  ['int8', { type: OID.int8, values: fc.bigInt().map(String), write: String }],
  ['bool', { type: OID.bool, values: fc.boolean(), write: (value) => (value ? 't' : 'f') }],
  ['numeric', { type: OID.numeric, values: fc.constantFrom('0.10', '-1e5', 'NaN'), write: String }],
  ['jsonb', { type: OID.jsonb, values: fc.dictionary(text, fc.jsonValue()), write: toJson }],
  ['json', { type: OID.json, values: fc.dictionary(text, text), write: toJson }],
  ['bytea', { type: OID.bytea, values: fc.uint8Array().map((b) => Buffer.from(b)), write: toHex }],
  ['timestamptz', { type: OID.timestamptz, values: day, write: toIso }],
  ['date', { type: OID.date, values: day, write: toIso }],
]

function toJson(value: never): string {
  return JSON.stringify(value)
}

function toHex(value: never): string {
  return `\\x${(value as Buffer).toString('hex')}`
}

function toIso(value: never): string {
  return (value as Date).toISOString()
}

/** Arrays of one to three dimensions, each row as long as the others, with nulls. */
function arraysOf(values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown[]> {
  const item = fc.option(values, { freq: 5 })
  const row = (length: number) => fc.array(item, { minLength: length, maxLength: length })
  const flat = fc.array(item, { maxLength: 6 })
  const square = fc
    .integer({ min: 1, max: 3 })
    .chain((length) => fc.array(row(length), { minLength: 1, maxLength: 3 }))
  const cube = fc.integer({ min: 1, max: 2 }).chain((length) =>
    fc.array(fc.array(row(length), { minLength: 2, maxLength: 2 }), {
      minLength: 1,
      maxLength: 3,
    }),
  )
  return fc.oneof(flat, square, cube)
}

/** The same array with every element as Postgres writes it. */
function written(values: unknown[], write: (value: never) => string): Item[] {
  return values.map((value) => {
    if (Array.isArray(value)) return written(value, write)
    return value === null ? null : write(value as never)
  })
}

describe('registerArrayTypes', () => {
  it.each(KINDS)(
    'registerArrayTypes reads every array of %s that Postgres writes',
    (_name, kind) => {
      fc.assert(
        fc.property(arraysOf(kind.values), (values) => {
          expect(parse(kind.type, writeLiteral(written(values, kind.write)))).toEqual(values)
        }),
        { seed: 9, numRuns: 200 },
      )
    },
  )

  it.each(KINDS)(
    'registerArrayTypes writes every array of %s as Postgres reads it',
    (_name, kind) => {
      fc.assert(
        fc.property(arraysOf(kind.values), (values) => {
          const literal = serialize(kind.type, values)
          expect(readLiteral(String(literal))).toEqual(written(values, kind.write))
        }),
        { seed: 10, numRuns: 200 },
      )
    },
  )

  it.each([
    ['[0:1]={1,2}', [1, 2]],
    [
      '[-1:0][2:3]={{1,2},{3,4}}',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ['[5:5]={NULL}', [null]],
    ['{}', []],
    ['{NULL}', [null]],
    ['{{{1}}}', [[[1]]]],
  ])('registerArrayTypes reads %s, whatever its bounds', (literal, values) => {
    expect(parse(OID.int4, literal)).toEqual(values)
  })

  it('registerArrayTypes tells a null from the text NULL', () => {
    expect(parse(OID.text, '{NULL,"NULL",null}')).toEqual([null, 'NULL', 'null'])
    expect(serialize(OID.text, [null, 'NULL', 'null', ''])).toBe('{null,"NULL","null",""}')
  })

  it('registerArrayTypes separates boxes by semicolons', () => {
    const boxes = ['(2,2),(1,1)', '(-1e+300,Infinity),(0,0.5)']
    expect(parse(OID.box, `{${boxes.join(';')}}`)).toEqual(boxes)
    expect(parse(OID.box, `{{${boxes[0]}};{NULL}}`)).toEqual([[boxes[0]], [null]])
    expect(parse(OID.box, '{}')).toEqual([])
    expect(readLiteral(String(serialize(OID.box, [boxes, boxes])), ';')).toEqual([boxes, boxes])
  })

  it.each(['{1,2}', '{}', '[0:1]={1,2}'])(
    'registerArrayTypes passes the literal %s on as it is',
    (literal) => {
      expect(serialize(OID.int4, literal)).toBe(literal)
    },
  )

  it('registerArrayTypes writes jsonb objects that have a type and a value as they are', () => {
    const values = [
      { type: 'circle', value: 1 },
      { type: 'square', value: { side: 2 } },
    ]
    expect(readLiteral(String(serialize(OID.jsonb, values)))).toEqual(
      values.map((value) => JSON.stringify(value)),
    )
  })

  it('registerArrayTypes takes the value of what sql.typed made', () => {
    expect(serialize(OID.int4, [sql.typed(1, 23), 2])).toBe('{"1","2"}')
  })

  it('registerArrayTypes refuses undefined, unless the transform says what it is', () => {
    expect(() => serialize(OID.text, ['x', undefined])).toThrow('undefined')
    const lenient = postgres({ host: 'nowhere.test', transform: { undefined: null } })
    const made = lenient.options as unknown as TypeOptions
    registerArrayTypes(made)
    expect(made.serializers[OID.text]?.(['x', undefined])).toBe('{"x",null}')
  })

  it('registerArrayTypes keeps the parsers and serializers of the user', () => {
    const mine = {
      to: OID.uuid,
      from: [OID.uuid],
      parse: (literal: string) => `mine: ${literal}`,
      serialize: () => 'mine',
    }
    const own = postgres({ host: 'nowhere.test', types: { mine } })
    const made = own.options as unknown as TypeOptions
    registerArrayTypes(made)
    expect(made.parsers[OID.uuid]?.('{x}')).toBe('mine: {x}')
    expect(made.serializers[OID.uuid]?.(['x'])).toBe('mine')
  })

  it('registerArrayTypes reads elements as the user reads the type itself', () => {
    const numbers = { to: 20, from: [20], parse: BigInt, serialize: String }
    const own = postgres({ host: 'nowhere.test', types: { numbers } })
    const made = own.options as unknown as TypeOptions
    registerArrayTypes(made)
    expect(made.parsers[OID.int8]?.('{1,NULL,9007199254740993}')).toEqual([
      1n,
      null,
      9007199254740993n,
    ])
  })

  it('registerArrayTypes tells postgres.js which array belongs to an element', () => {
    expect(options.shared.typeArrayMap).toMatchObject({ 23: 1007, 25: 1009, 603: 1020, 3802: 3807 })
  })

  it('registerArrayTypes leaves types alone that are not built in', () => {
    const types = Object.values(options.shared.typeArrayMap)
    expect(new Set(types).size).toBe(types.length)
    expect(Math.max(...types)).toBeLessThan(10_000)
  })
})
