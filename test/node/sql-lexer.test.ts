import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SqlLexer } from '../../src/wire/sql-lexer.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

/** What texts, names and comments are made of where it is hard to tell where they end. */
const PIECES = ["'", '"', '\\', '$', '$$', '$a$', '--', '/*', '*/', '\n', ';', 'e', 'x', ' ', 'ü']

/** A way to write a text, and whether it can be written so. */
const FORMS: readonly ((text: string) => string | undefined)[] = [
  (text) => `'${text.replaceAll("'", "''")}'`,
  (text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`,
  (text) => `e'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`,
  (text) => `e'' -- '\n  '${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`,
  (text) => (`${text}$`.includes('$$') ? undefined : `$$${text}$$`),
  (text) => (`${text}$é_1$`.indexOf('$é_1$') < text.length ? undefined : `$é_1$${text}$é_1$`),
]

const COMMENTS: readonly ((text: string) => string)[] = [
  () => ' ',
  (text) => `-- ${text.replace(/[\n\r]/g, ' ')}\n`,
  (text) => (/\/\*|\*\//.test(text) || /[*/]$/.test(text) ? '/**/' : `/* /* ${text} */ */`),
]

describe('SqlLexer, beside the lexer of Postgres', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
  })
  afterAll(() => bed[Symbol.asyncDispose]())

  it('finds the same texts, names and comments', async () => {
    const text = fc
      .array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 8 })
      .map((all) => all.join(''))
    const column = fc.record({
      text,
      form: fc.constantFrom(...FORMS),
      name: text,
      comment: fc.tuple(fc.constantFrom(...COMMENTS), text).map(([make, said]) => make(said)),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(column, { minLength: 1, maxLength: 5 }), async (columns) => {
        const written = columns.map(({ text, form, name, comment }, n) => ({
          value: text,
          literal: form(text) ?? `'${text.replaceAll("'", "''")}'`,
          name: `${n}${name}`,
          quoted: `"${n}${name.replaceAll('"', '""')}"`,
          comment,
        }))
        const sql = `select${written.map(({ literal, quoted, comment }) => `${comment}${literal}${comment}as${comment}${quoted}`).join(',')}`
        const [row] = await bed.sql.unsafe(sql)
        expect(row).toEqual(Object.fromEntries(written.map(({ name, value }) => [name, value])))
        const lexer = new SqlLexer(sql)
        const found: string[] = []
        while (lexer.next()) if (lexer.kind !== 'space') found.push(lexer.value)
        const expected = written.flatMap(({ literal, quoted }) => [literal, 'as', quoted, ','])
        expect(found).toEqual(['select', ...expected.slice(0, -1)])
      }),
      { seed: 8, numRuns: 400 },
    )
  })
})
