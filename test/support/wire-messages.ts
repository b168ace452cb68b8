// Protocol 3.0 messages, as https://www.postgresql.org/docs/current/protocol-message-formats.html
// lists them. Written again for the test bed: a mistake in src/wire must not agree with itself.

/** A complete message with its tag. */
export interface Frame {
  tag: string
  payload: Buffer
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
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

/** A message with a tag and a length around its parts. */
export function message(tag: string, ...parts: readonly Uint8Array[]): Buffer {
  const payload = Buffer.concat(parts)
  return Buffer.concat([Buffer.from(tag), int32(payload.length + 4), payload])
}

const CANCEL_REQUEST_CODE = 80877102
const SSL_REQUEST_CODE = 80877103
const PROTOCOL_3_0 = 196608

export const sslRequest: Buffer = Buffer.concat([int32(8), int32(SSL_REQUEST_CODE)])

export function startupMessage(parameters: Record<string, string>): Buffer {
  const pairs = Object.entries(parameters).flatMap(([key, value]) => [text(key), text(value)])
  const payload = Buffer.concat([int32(PROTOCOL_3_0), ...pairs, Buffer.alloc(1)])
  return Buffer.concat([int32(payload.length + 4), payload])
}

export function cancelRequest(processId: number, secretKey: number): Buffer {
  return Buffer.concat([int32(16), int32(CANCEL_REQUEST_CODE), int32(processId), int32(secretKey)])
}

export function saslInitialResponse(mechanism: string, clientFirst: string): Buffer {
  const data = Buffer.from(clientFirst)
  return message('p', text(mechanism), int32(data.length), data)
}

export function saslResponse(data: string): Buffer {
  return message('p', Buffer.from(data))
}

export function query(sql: string): Buffer {
  return message('Q', text(sql))
}

/** Begins a transaction in words that the wire does not take for a lone BEGIN, which it would defer. */
export const beginAtOnce: Buffer = query('begin at once')

/** The unnamed statement. */
export function parse(sql: string): Buffer {
  return message('P', text(''), text(sql), int16(0))
}

/** The unnamed portal, text parameters, text results. */
export function bind(values: readonly string[] = []): Buffer {
  const encoded = values.flatMap((value) => {
    const bytes = Buffer.from(value)
    return [int32(bytes.length), bytes]
  })
  return message('B', text(''), text(''), int16(0), int16(values.length), ...encoded, int16(0))
}

export const describe: Buffer = message('D', Buffer.from('P'), text(''))
export const describeStatement: Buffer = message('D', Buffer.from('S'), text(''))
export const execute: Buffer = message('E', text(''), int32(0))
export const sync: Buffer = message('S')
export const flush: Buffer = message('H')
export const terminate: Buffer = message('X')

/** `Parse Bind Describe Execute` of an unnamed statement, without the `Sync`. */
export function extended(sql: string, values: readonly string[] = []): Buffer {
  return Buffer.concat([parse(sql), bind(values), describe, execute])
}

/** The column values of a `DataRow`, as text. */
export function rowValues(payload: Buffer): (string | null)[] {
  const values: (string | null)[] = []
  let offset = 2
  while (offset < payload.length) {
    const length = payload.readInt32BE(offset)
    offset += 4
    values.push(length < 0 ? null : payload.toString('utf8', offset, offset + length))
    offset += Math.max(length, 0)
  }
  return values
}

/** The fields of an `ErrorResponse` by their one-letter code. */
export function errorFields(payload: Buffer): Record<string, string> {
  const fields = payload.toString().split('\0').filter(Boolean)
  return Object.fromEntries(fields.map((field) => [field.slice(0, 1), field.slice(1)]))
}

/** The end of a message inside a chunk. */
export interface FrameEnd {
  tag: string
  /** Offset of the first byte after the message. */
  end: number
}

/** Follows the message boundaries of a stream, without keeping its bytes. */
export class FrameTracker {
  readonly #header = Buffer.alloc(5)
  #headerLength = 0
  #missing = 0

  /** The messages that end in this chunk. */
  push(chunk: Uint8Array): FrameEnd[] {
    const ends: FrameEnd[] = []
    let offset = 0
    while (offset < chunk.length) {
      if (this.#headerLength < 5) {
        const taken = chunk.subarray(offset, offset + 5 - this.#headerLength)
        this.#header.set(taken, this.#headerLength)
        this.#headerLength += taken.length
        offset += taken.length
        if (this.#headerLength < 5) break
        this.#missing = this.#header.readUInt32BE(1) - 4
      }
      const taken = Math.min(this.#missing, chunk.length - offset)
      offset += taken
      this.#missing -= taken
      if (this.#missing > 0) break
      ends.push({ tag: this.#header.toString('latin1', 0, 1), end: offset })
      this.#headerLength = 0
    }
    return ends
  }
}
