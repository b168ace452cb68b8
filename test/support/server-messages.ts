// What a server says, byte by byte, as
// https://www.postgresql.org/docs/current/protocol-message-formats.html lists it.

import { message } from './wire-messages.ts'

function int32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, at * 4)
  return bytes
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`)
}

export const authenticationOk: Buffer = message('R', int32(0))

export function authentication(type: number, data: Uint8Array = Buffer.alloc(0)): Buffer {
  return message('R', int32(type), data)
}

export function authenticationSasl(...mechanisms: string[]): Buffer {
  return authentication(10, Buffer.concat([...mechanisms.map(text), Buffer.alloc(1)]))
}

export function parameterStatus(name: string, value: string): Buffer {
  return message('S', text(name), text(value))
}

export function backendKeyData(processId: number, secret: number): Buffer {
  return message('K', int32(processId, secret))
}

export function ready(status: 'I' | 'T' | 'E' = 'I'): Buffer {
  return message('Z', Buffer.from(status))
}

export function errorMessage(severity: string, sqlState: string, words: string): Buffer {
  const fields = [`S${severity}`, `V${severity}`, `C${sqlState}`, `M${words}`].map(text)
  return message('E', ...fields, Buffer.alloc(1))
}

export function notice(words: string): Buffer {
  const fields = ['SNOTICE', 'VNOTICE', 'C00000', `M${words}`].map(text)
  return message('N', ...fields, Buffer.alloc(1))
}

/** One column of type text. */
export const rowDescription: Buffer = message(
  'T',
  int16(1),
  text('value'),
  int32(0),
  int16(0),
  int32(25),
  int16(0xffff),
  int32(0xffffffff),
  int16(0),
)

export function dataRow(value: string): Buffer {
  const bytes = Buffer.from(value)
  return message('D', int16(1), int32(bytes.length), bytes)
}

export function commandComplete(tag: string): Buffer {
  return message('C', text(tag))
}

/** The parameters of a statement, all of type text. */
export function parameterDescription(count: number): Buffer {
  return message('t', int16(count), int32(...Array.from({ length: count }, () => 25)))
}

export const parseComplete: Buffer = message('1')
export const bindComplete: Buffer = message('2')
export const closeComplete: Buffer = message('3')
export const noData: Buffer = message('n')
export const portalSuspended: Buffer = message('s')
export const emptyQueryResponse: Buffer = message('I')
export const copyInResponse: Buffer = message('G', Buffer.from([0]), int16(0))
export const copyOutResponse: Buffer = message('H', Buffer.from([0]), int16(0))
export const copyDone: Buffer = message('c')

export function copyData(bytes: string): Buffer {
  return message('d', Buffer.from(bytes))
}

/** What follows a verdict on the password, without parameters. */
export const greeting: Buffer = Buffer.concat([backendKeyData(4711, 815), ready()])

/** The answer to a query with these rows. */
export function result(...values: string[]): Buffer {
  return Buffer.concat([
    rowDescription,
    ...values.map(dataRow),
    commandComplete(`SELECT ${values.length}`),
    ready(),
  ])
}
