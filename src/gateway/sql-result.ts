import { elementTypeOf, parseArray } from '../drivers/array-types.ts'
import type { TextResult } from '../drivers/text.ts'
import type { TextField, TextRow } from '../drivers/text-messages.ts'
import { withOutcome } from '../transaction-outcome.ts'
import { asFailure } from './failures.ts'
import type { SqlRequest } from './sql-request.ts'

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
 * The answer to a request whose statements have run.
 *
 * @throws {NullpoolError} that says so, where the answer cannot be written: what has been committed must not
 * be taken for something to try again.
 */
export function answerText(request: SqlRequest, results: readonly TextResult[]): string {
  const { statements, rawText, transaction } = request
  try {
    const bodies = results.map((result, at) =>
      resultBody(result, { rawText, arrayMode: statements[at]?.arrayMode ?? false }),
    )
    return transaction ? `{"results":[${bodies.join()}]}` : (bodies[0] ?? 'null')
  } catch (error) {
    const words = transaction ? undefined : 'The statement has run, and what it did is committed.'
    throw withOutcome(asFailure(error), 'committed', words)
  }
}

/**
 * A result as Neon's HTTP query protocol has it, as the text of JSON. Without `rawText`, values become what
 * JSON has for them; `bigint`, `numeric`, dates and everything else stay text.
 *
 * JSON of the server is put in as it is: it may be deeper than a runtime can read or write, and its numbers
 * more exact than doubles.
 */
export function resultBody(result: TextResult, shape: ResultShape): string {
  const { command, rowCount, fields } = result
  const writer = new RowWriter(fields, shape)
  const head = {
    fields: fields.map((field) => ({ ...field, format: 'text' })),
    ...{ command, rowCount, rowAsArray: shape.arrayMode },
  }
  const rows = result.rows.map((row) => writer.write(row))
  return `${JSON.stringify(head).slice(0, -1)},"rows":[${rows.join()}]}`
}

/** A column of a row: what stands before its value, and where that is. */
interface Column {
  key: string
  keyBytes: number
  at: number
  type: number | undefined
}

/** Writes rows of one result: lists, or objects, in which of columns with one name the last counts. */
export class RowWriter {
  readonly #columns: readonly Column[]
  readonly #brackets: readonly [string, string]

  constructor(fields: readonly TextField[], { arrayMode, rawText }: ResultShape) {
    const places = fields.map(({ name }, at) => [arrayMode ? at : name, at] as const)
    this.#brackets = arrayMode ? ['[', ']'] : ['{', '}']
    this.#columns = [...new Map(places)].map(([name, at]) => {
      const key = arrayMode ? '' : `${JSON.stringify(name)}:`
      const type = rawText ? undefined : fields[at]?.dataTypeID
      return { key, keyBytes: new TextEncoder().encode(key).length, at, type }
    })
  }

  write(row: TextRow): string {
    const [open, close] = this.#brackets
    const values = this.#columns.map(({ key, at, type }) => key + valueText(row[at] ?? null, type))
    return open + values.join() + close
  }

  /** How many bytes {@link RowWriter.write} writes, where `valueBytes` says it of a value. */
  measure(
    row: TextRow,
    valueBytes: (text: string | null, type: number | undefined) => number,
  ): number {
    const commas = Math.max(0, this.#columns.length - 1)
    const values = this.#columns.reduce(
      (sum, { keyBytes, at, type }) => sum + keyBytes + valueBytes(row[at] ?? null, type),
      0,
    )
    return values + commas + 2
  }
}

/** A value in JSON; without a type it stays text. */
export function valueText(text: string | null, type: number | undefined): string {
  if (text === null) return 'null'
  if (type === undefined) return JSON.stringify(text)
  if (type === BOOLEAN) return String(text === 't')
  if (INTEGERS.has(type)) return JSON.stringify(Number(text))
  if (FLOATS.has(type)) return JSON.stringify(Number.isFinite(Number(text)) ? Number(text) : text)
  if (JSON_TYPES.has(type)) return text
  const element = elementTypeOf(type)
  if (element === undefined) return JSON.stringify(text)
  return listText(parseArray(text, type, (each) => valueText(each, element)))
}

/** A list of texts that are JSON already, or of lists of them. */
function listText(list: readonly unknown[]): string {
  const elements = list.map((each) => (Array.isArray(each) ? listText(each) : String(each)))
  return `[${elements.join()}]`
}
