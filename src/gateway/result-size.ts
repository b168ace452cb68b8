import type { ResultMeasure, TextResult } from '../drivers/text.ts'
import type { TextField, TextRow } from '../drivers/text-messages.ts'
import { type ResultShape, RowWriter, resultBody, valueText } from './sql-result.ts'

const EMPTY: TextResult = { command: '', rowCount: null, fields: [], rows: [] }

/** `{"results":[]}` */
const AROUND_RESULTS = 14

const [QUOTE, BACKSLASH, SPACE, BACKSPACE, VERTICAL_TAB, RETURN] = [34, 92, 32, 8, 11, 13]

/** How many bytes a result takes in an answer, counted while it comes; the same as what is written then. */
export class ResultSize implements ResultMeasure {
  readonly #shape: ResultShape
  #around: number
  #writer: RowWriter
  #rows = 0

  /**
   * @param place - Which result of a transaction it is; none of a single statement.
   */
  constructor(shape: ResultShape, place: number | undefined) {
    this.#shape = shape
    this.#around = place === undefined ? 0 : place === 0 ? AROUND_RESULTS : 1
    this.#writer = new RowWriter([], shape)
  }

  fields(fields: TextField[]): number {
    this.#writer = new RowWriter(fields, this.#shape)
    return this.#bodyBytes({ ...EMPTY, fields }) - this.#bodyBytes(EMPTY)
  }

  row(row: TextRow): number {
    this.#rows += 1
    const comma = this.#rows > 1 ? 1 : 0
    return comma + this.#writer.measure(row, valueBytes)
  }

  end({ command, rowCount }: TextResult): number {
    const around = this.#around
    this.#around = 0
    return around + this.#bodyBytes({ ...EMPTY, command, rowCount })
  }

  #bodyBytes(result: TextResult): number {
    return utf8Bytes(resultBody(result, this.#shape))
  }
}

/** Of a value in JSON; texts are not written for that. */
function valueBytes(text: string | null, type: number | undefined): number {
  if (text === null || type !== undefined) {
    try {
      return utf8Bytes(valueText(text, type))
    } catch {
      // Whoever writes it will say what is wrong.
      return utf8Bytes(text ?? '')
    }
  }
  return utf8Bytes(text) + escapesBytes(text) + 2
}

function utf8Bytes(text: string): number {
  let bytes = text.length
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x80) continue
    // The halves of a character beyond 16 bits have four bytes together.
    bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2
  }
  return bytes
}

/** What JSON adds to a text, but for its quotes: `\n` is a byte more, `\u0001` five. */
function escapesBytes(text: string): number {
  let bytes = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE || code === BACKSLASH) bytes += 1
    else if (code < SPACE) bytes += isShort(code) ? 1 : 5
  }
  return bytes
}

/** `\b`, `\t`, `\n`, `\f` and `\r`. */
function isShort(code: number): boolean {
  return code >= BACKSPACE && code <= RETURN && code !== VERTICAL_TAB
}
