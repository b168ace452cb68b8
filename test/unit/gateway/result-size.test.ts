import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TextResult } from '../../../src/drivers/text.ts'
import { ResultSize } from '../../../src/gateway/result-size.ts'
import { answerText } from '../../../src/gateway/sql-result.ts'

const field = (name: string, dataTypeID: number) => ({
  ...{ name, dataTypeID, tableID: 0, columnID: 0, dataTypeSize: -1, dataTypeModifier: -1 },
})

const unit = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({
    unit: fc.constantFrom('"', '\\', '\n', '\b', '\v', '\x01', '\x7f', 'é', '\u2028', '😀'),
  }),
)
const values = fc.record({
  16: fc.constantFrom('t', 'f', null),
  23: fc.integer().map(String),
  25: fc.option(unit),
  114: fc.json(),
  701: fc.double().map((value) => String(value)),
  1009: fc.constantFrom('{}', '{a,NULL,"b\\"c"}', '{{a},{b}}', 'broken'),
})
const results = fc.record({
  names: fc.array(unit, { minLength: 6, maxLength: 6 }),
  rows: fc.array(values, { maxLength: 4 }),
  command: fc.constantFrom('SELECT', 'CREATE', ''),
  rowCount: fc.option(fc.nat()),
  arrayMode: fc.boolean(),
})

describe('the size of an answer', () => {
  it('is what is written, whatever that is', () => {
    const requests = fc.tuple(fc.array(results, { maxLength: 3 }), fc.boolean(), fc.boolean())
    fc.assert(
      fc.property(requests, ([made, rawText, isTransaction]) => {
        const all = isTransaction ? made : made.slice(0, 1)
        if (all.length === 0) return
        let counted = 0
        const written = all.map(({ names, rows, command, rowCount, arrayMode }, at) => {
          const size = new ResultSize({ arrayMode, rawText }, isTransaction ? at : undefined)
          const types = [16, 23, 25, 114, 701, 1009] as const
          const result: TextResult = {
            ...{ command, rowCount },
            fields: types.map((type, n) => field(names[n] ?? '', type)),
            rows: rows.map((row) => types.map((type) => row[type])),
          }
          counted += size.fields(result.fields)
          for (const row of result.rows) counted += size.row(row)
          counted += size.end(result)
          return result
        })
        const request = {
          ...{ connectionString: '', rawText, transaction: isTransaction ? {} : undefined },
          statements: all.map(({ arrayMode }) => ({ text: '', values: [], arrayMode })),
        }
        let text: string | undefined
        try {
          text = answerText(request, written)
        } catch {}
        // What cannot be written is counted all the same.
        if (text === undefined) expect(counted).toBeGreaterThan(0)
        else expect(counted).toBe(new TextEncoder().encode(text).length)
      }),
      { numRuns: 1_000 },
    )
  })
})
