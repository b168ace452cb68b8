import { elementTypeOf, parseArray } from '../drivers/array-types.ts'
import type { TextResult } from '../drivers/text.ts'
import { parseExactly } from './exact-json.ts'

/** OIDs of types that JSON has something for (`pg_type.dat`; they never change). */
const BOOLEAN = 16
const INTEGERS: ReadonlySet<number> = new Set([21, 23])
const FLOATS: ReadonlySet<number> = new Set([700, 701])
const JSON_TYPES: ReadonlySet<number> = new Set([114, 3802])

/** How a result is to be written. */
export interface ResultShape {
  arrayMode: boolean
  rawText: boolean
}

/**
 * A result as Neon's HTTP query protocol has it. Without `rawText`, values become what JSON has for them;
 * `bigint`, `numeric`, dates and everything else stay text.
 */
export function resultBody(result: TextResult, { arrayMode, rawText }: ResultShape): object {
  const { command, rowCount, fields, rows } = result
  const names = fields.map(({ name }) => name)
  const types = fields.map(({ dataTypeID }) => dataTypeID)
  return {
    fields: fields.map((field) => ({ ...field, format: 'text' })),
    ...{ command, rowCount, rowAsArray: arrayMode },
    rows: rows.map((row) => {
      const values = rawText ? row : row.map((value, at) => toJson(value, types[at] ?? 0))
      if (arrayMode) return values
      return Object.fromEntries(values.map((value, at) => [names[at], value]))
    }),
  }
}

function toJson(text: string | null, type: number): unknown {
  if (text === null) return null
  if (type === BOOLEAN) return text === 't'
  if (INTEGERS.has(type)) return Number(text)
  if (FLOATS.has(type)) return Number.isFinite(Number(text)) ? Number(text) : text
  if (JSON_TYPES.has(type)) return parseExactly(text)
  const element = elementTypeOf(type)
  return element === undefined ? text : parseArray(text, type, (each) => toJson(each, element))
}
