import {
  concat,
  decodeText,
  encodeText,
  Frontend,
  frame,
  uint16,
  uint32,
} from '../wire/messages.ts'

/** What RowDescription says of a column, by the names that node-postgres has for it. */
export interface TextField {
  name: string
  tableID: number
  columnID: number
  dataTypeID: number
  dataTypeSize: number
  dataTypeModifier: number
}

/** One row; every value as the server writes it. */
export type TextRow = (string | null)[]

/**
 * One statement and what asks for its answer: values of types that the server finds out, rows as text.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
 */
export function statementFlight(text: string, values: readonly (string | null)[]): Uint8Array {
  const parameters = values.flatMap((value) => {
    if (value === null) return [uint32(0xffff_ffff)]
    const bytes = encodeText(value)
    return [uint32(bytes.length), bytes]
  })
  return concat([
    frame(Frontend.parse, `\0${text}\0`, uint16(0)),
    // There may be more of them than a call has arguments.
    frame(Frontend.bind, '\0\0', uint16(0), uint16(values.length), concat(parameters), uint16(0)),
    frame(Frontend.describe, 'P\0'),
    frame(Frontend.execute, '\0', uint32(0)),
    frame(Frontend.sync),
  ])
}

/** Reads RowDescription. */
export function readFields(message: Uint8Array): TextField[] {
  const view = viewOf(message)
  let at = 7
  return Array.from({ length: view.getUint16(5) }, () => {
    const end = message.indexOf(0, at)
    const name = decodeText(message.subarray(at, end))
    const from = end + 1
    at = from + 18
    return {
      name,
      tableID: view.getUint32(from),
      // Those of the system are below zero.
      columnID: view.getInt16(from + 4),
      dataTypeID: view.getUint32(from + 6),
      dataTypeSize: view.getInt16(from + 10),
      dataTypeModifier: view.getInt32(from + 12),
    }
  })
}

/** Reads DataRow. */
export function readRow(message: Uint8Array): TextRow {
  const view = viewOf(message)
  let at = 7
  return Array.from({ length: view.getUint16(5) }, () => {
    const length = view.getInt32(at)
    at += 4
    if (length < 0) return null
    at += length
    return decodeText(message.subarray(at - length, at))
  })
}

/**
 * The name of a command and how many rows it was about: `INSERT 0 2` is 2, `CREATE TABLE` none.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export function readCommandTag(tag: string): { command: string; rowCount: number | null } {
  const [command = '', ...rest] = tag.split(' ')
  const count = rest.at(-1) ?? ''
  return { command, rowCount: /^\d+$/.test(count) ? Number(count) : null }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}
