import { NullpoolError } from '../errors.ts'

/**
 * Framing and the few messages that the wire itself writes or reads. Everything else passes through
 * as bytes.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Type bytes of the messages that a server sends. */
export const Backend = {
  authentication: 0x52, // R
  backendKeyData: 0x4b, // K
  bindComplete: 0x32, // 2
  closeComplete: 0x33, // 3
  commandComplete: 0x43, // C
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyInResponse: 0x47, // G
  copyOutResponse: 0x48, // H
  dataRow: 0x44, // D
  emptyQueryResponse: 0x49, // I
  errorResponse: 0x45, // E
  noData: 0x6e, // n
  noticeResponse: 0x4e, // N
  notificationResponse: 0x41, // A
  parameterDescription: 0x74, // t
  parameterStatus: 0x53, // S
  parseComplete: 0x31, // 1
  portalSuspended: 0x73, // s
  readyForQuery: 0x5a, // Z
  rowDescription: 0x54, // T
} as const

/** Messages that may come between any two others. */
export const ASIDES: ReadonlySet<number> = new Set([
  Backend.noticeResponse,
  Backend.parameterStatus,
  Backend.notificationResponse,
])

/** Type bytes of the messages that a driver sends. */
export const Frontend = {
  bind: 0x42, // B
  close: 0x43, // C
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyFail: 0x66, // f
  describe: 0x44, // D
  execute: 0x45, // E
  flush: 0x48, // H
  functionCall: 0x46, // F
  parse: 0x50, // P
  password: 0x70, // p
  query: 0x51, // Q
  sync: 0x53, // S
  terminate: 0x58, // X
} as const

/** The status byte of ReadyForQuery: idle, in a transaction, in a failed transaction. */
export type TransactionStatus = 'I' | 'T' | 'E'

const PROTOCOL_3_0 = 196608
const SSL_REQUEST = 80877103
const CANCEL_REQUEST = 80877102

/** A message before authentication is never longer than this; a peer that claims more is not Postgres. */
export const HANDSHAKE_MESSAGE_LIMIT = 65_536

/** The largest message that Postgres sends: 1 GiB. */
export const MESSAGE_LIMIT = 0x4000_0000

/** Reads a big-endian unsigned 32-bit integer. */
export function readUint32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
  const low = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
  return high * 65_536 + low
}

/** Joins chunks; a single one is returned as it is. */
export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1 && chunks[0]) return chunks[0]
  const joined = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    joined.set(chunk, at)
    at += chunk.length
  }
  return joined
}

/** Decodes UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

/** Encodes UTF-8. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text)
}

/** What came is not the protocol. */
export function notPostgres(): NullpoolError {
  return new NullpoolError('ERR_PROTOCOL', 'The server sent something that is not Postgres.', {
    hint: 'Check host and port of the connection string: 6543 is the usual port of a transaction-mode pooler, 5432 that of Postgres.',
  })
}

/** One message: its type, its length and its parts; texts as UTF-8. */
export function frame(type: number | undefined, ...parts: (Uint8Array | string)[]): Uint8Array {
  const body = concat(parts.map((part) => (typeof part === 'string' ? encodeText(part) : part)))
  const head = type === undefined ? 0 : 1
  const bytes = new Uint8Array(head + 4 + body.length)
  if (type !== undefined) bytes[0] = type
  new DataView(bytes.buffer).setUint32(head, body.length + 4)
  bytes.set(body, head + 4)
  return bytes
}

/** Big-endian, 32 bits each. */
export function uint32(...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4))
  for (const [index, value] of values.entries()) view.setUint32(index * 4, value)
  return new Uint8Array(view.buffer)
}

/** Big-endian, 16 bits. */
export function uint16(value: number): Uint8Array {
  return new Uint8Array([value >> 8, value & 255])
}

/** Asks for TLS; the server answers with one byte. */
export function sslRequest(): Uint8Array {
  return frame(undefined, uint32(SSL_REQUEST))
}

/** Opens the session. Only parameters that every pooler accepts belong here. */
export function startupMessage(parameters: Readonly<Record<string, string>>): Uint8Array {
  const pairs = Object.entries(parameters).map(([name, value]) => `${name}\0${value}\0`)
  return frame(undefined, uint32(PROTOCOL_3_0), `${pairs.join('')}\0`)
}

/** Asks the server, over another connection, to stop what the backend with this key is doing. */
export function cancelRequest(key: BackendKey): Uint8Array {
  return frame(undefined, uint32(CANCEL_REQUEST, key.processId, key.secret))
}

/** The answer to a cleartext or MD5 password request. */
export function passwordMessage(password: string): Uint8Array {
  return frame(Frontend.password, `${password}\0`)
}

/** Starts SASL with the client's first message. */
export function saslInitialResponse(mechanism: string, response: string): Uint8Array {
  const bytes = encodeText(response)
  return frame(Frontend.password, `${mechanism}\0`, uint32(bytes.length), bytes)
}

/** Continues SASL. */
export function saslResponse(response: string): Uint8Array {
  return frame(Frontend.password, response)
}

/** A simple query. */
export function queryMessage(text: string): Uint8Array {
  return frame(Frontend.query, `${text}\0`)
}

/** Parse, Bind and Execute of the unnamed statement, all values as text. */
export function statementMessages(text: string, values: readonly string[] = []): Uint8Array[] {
  const encoded = values.map(encodeText)
  const parameters = encoded.flatMap((value) => [uint32(value.length), value])
  return [
    frame(Frontend.parse, `\0${text}\0`, uint16(0)),
    frame(Frontend.bind, '\0\0', uint16(0), uint16(values.length), ...parameters, uint16(0)),
    frame(Frontend.execute, '\0', uint32(0)),
  ]
}

/** Asks what the unnamed portal gives. */
export function describePortal(): Uint8Array {
  return frame(Frontend.describe, 'P\0')
}

/** Whether a driver asks what a portal gives, and not what a statement takes. */
export function describesPortal(message: Uint8Array): boolean {
  return message[0] === Frontend.describe && message[5] === 0x50
}

/** Ends an extended flight. */
export function syncMessage(): Uint8Array {
  return frame(Frontend.sync)
}

/** Ends a COPY from the client with an error. */
export function copyFailMessage(reason: string): Uint8Array {
  return frame(Frontend.copyFail, `${reason}\0`)
}

/** Ends the session. */
export function terminateMessage(): Uint8Array {
  return frame(Frontend.terminate)
}

/** Identifies a backend for {@link cancelRequest}. */
export interface BackendKey {
  processId: number
  secret: number
}

/** Reads BackendKeyData of protocol 3.0. */
export function readBackendKey(message: Uint8Array): BackendKey {
  return { processId: readUint32(message, 5), secret: readUint32(message, 9) }
}

/** The start-up packet of a driver: a start-up message or a cancel request. */
export function readStartup(bytes: Uint8Array): BackendKey | 'startup' {
  if (readUint32(bytes, 4) !== CANCEL_REQUEST) return 'startup'
  return { processId: readUint32(bytes, 8), secret: readUint32(bytes, 12) }
}

/** The fields of an ErrorResponse or NoticeResponse that the wire decides on. */
export interface ErrorFields {
  severity: string
  sqlState: string
  message: string
  hint?: string | undefined
  /** The function of the server that raised it; poolers have none. */
  routine?: string | undefined
}

/** Reads severity (untranslated where sent), SQLSTATE and message. */
export function readErrorFields(message: Uint8Array): ErrorFields {
  const fields = new Map<string, string>()
  for (const field of decodeText(message.subarray(5)).split('\0')) {
    if (field) fields.set(field.charAt(0), field.slice(1))
  }
  return {
    severity: fields.get('V') ?? fields.get('S') ?? 'ERROR',
    sqlState: fields.get('C') ?? '',
    message: fields.get('M') ?? '',
    hint: fields.get('H'),
    routine: fields.get('R'),
  }
}

/** Reads the text up to the first NUL. */
export function readCString(bytes: Uint8Array, from: number): string {
  const end = bytes.indexOf(0, from)
  return decodeText(bytes.subarray(from, end < 0 ? bytes.length : end))
}

/** The text of a Query or of a Parse, up to so many bytes. */
export function statementText(message: Uint8Array, limit: number = message.length): string {
  const start = message[0] === Frontend.parse ? message.indexOf(0, 5) + 1 : 5
  return readCString(message.subarray(0, start + limit), start)
}

/** Whether a message of a driver is answered by a ReadyForQuery. */
export function endsFlight(type: number): boolean {
  return type === Frontend.query || type === Frontend.sync || type === Frontend.functionCall
}

/** Whether a message of a driver belongs to the rows of a COPY. */
export function isCopy(type: number): boolean {
  return type === Frontend.copyData || type === Frontend.copyDone || type === Frontend.copyFail
}
