import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NullpoolError } from '../../../src/errors.ts'
import { MessageReader } from '../../../src/wire/message-reader.ts'
import { HANDSHAKE_MESSAGE_LIMIT, MESSAGE_LIMIT } from '../../../src/wire/messages.ts'
import * as server from '../../support/server-messages.ts'
import { message } from '../../support/wire-messages.ts'

/** A login and three answers, as Postgres 18 says them. */
const CONVERSATION: readonly Buffer[] = [
  server.authenticationSasl('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'),
  server.authentication(11, Buffer.from('r=abc,s=QUJD,i=4096')),
  server.authentication(12, Buffer.from('v=QUJD')),
  server.authenticationOk,
  server.parameterStatus('TimeZone', 'Etc/UTC'),
  server.backendKeyData(1, 0xdeadbeef),
  server.ready(),
  server.parseComplete,
  server.parameterDescription(2),
  server.rowDescription,
  server.bindComplete,
  server.dataRow('ünïcödé'),
  server.dataRow(''),
  server.portalSuspended,
  server.commandComplete('SELECT 2'),
  server.ready('T'),
  server.notice('by the way'),
  server.errorMessage('ERROR', '22012', 'division by zero'),
  server.ready('E'),
  server.copyOutResponse,
  server.copyData('x'.repeat(300)),
  server.copyDone,
  server.commandComplete('COPY 1'),
  server.ready('I'),
]
const STREAM = new Uint8Array(Buffer.concat(CONVERSATION))

function readAll(reader: MessageReader): Buffer[] {
  const messages: Buffer[] = []
  for (let next = reader.next(); next; next = reader.next()) messages.push(Buffer.from(next))
  return messages
}

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (NullpoolError.is(error)) return error.code
    throw error
  }
  return 'nothing was thrown'
}

function header(length: number): Uint8Array {
  const bytes = new Uint8Array(5)
  bytes[0] = 0x52
  new DataView(bytes.buffer).setUint32(1, length)
  return bytes
}

describe('MessageReader', () => {
  it('MessageReader reads a whole conversation from one chunk', () => {
    const reader = new MessageReader(MESSAGE_LIMIT)
    reader.push(STREAM)
    expect(readAll(reader)).toEqual(CONVERSATION)
    expect(reader.available).toBe(0)
  })

  it('MessageReader reads the same messages wherever the stream is cut in two', () => {
    for (let at = 0; at <= STREAM.length; at++) {
      const reader = new MessageReader(MESSAGE_LIMIT)
      reader.push(STREAM.subarray(0, at))
      const first = readAll(reader)
      reader.push(STREAM.subarray(at))
      expect([...first, ...readAll(reader)]).toEqual(CONVERSATION)
    }
  })

  it('MessageReader gives a message as soon as its last byte is there, and not before', () => {
    const reader = new MessageReader(MESSAGE_LIMIT)
    const ends = new Set<number>()
    let end = 0
    for (const each of CONVERSATION) {
      end += each.length
      ends.add(end)
    }
    for (let at = 0; at < STREAM.length; at++) {
      reader.push(STREAM.subarray(at, at + 1))
      expect(readAll(reader)).toHaveLength(ends.has(at + 1) ? 1 : 0)
    }
  })

  it('MessageReader does not care how the stream is cut, or when it is asked', () => {
    const cuts = fc.array(fc.tuple(fc.nat(STREAM.length), fc.boolean()), { maxLength: 40 })
    fc.assert(
      fc.property(cuts, (places) => {
        const reader = new MessageReader(MESSAGE_LIMIT)
        const found: Buffer[] = []
        let from = 0
        for (const [at, ask] of places.toSorted(([left], [right]) => left - right)) {
          reader.push(STREAM.subarray(from, at))
          from = at
          if (ask) found.push(...readAll(reader))
        }
        reader.push(STREAM.subarray(from))
        expect([...found, ...readAll(reader)]).toEqual(CONVERSATION)
      }),
      { seed: 5, numRuns: 500 },
    )
  })

  it('MessageReader gives rows as one piece, as far as they lie side by side', () => {
    const rows = [server.dataRow('a'), server.dataRow(''), server.copyData('b')]
    const stream = new Uint8Array(Buffer.concat([...rows, server.commandComplete('SELECT 3')]))
    const reader = new MessageReader(MESSAGE_LIMIT)
    reader.push(stream)
    expect(reader.nextRows()).toEqual(new Uint8Array(Buffer.concat(rows)))
    expect(reader.nextRows()).toBeUndefined()
    expect(readAll(reader)).toEqual([server.commandComplete('SELECT 3')])
  })

  it('MessageReader loses and reorders nothing, with rows in pieces', () => {
    const cuts = fc.array(fc.nat(STREAM.length), { maxLength: 40 })
    fc.assert(
      fc.property(cuts, (places) => {
        const reader = new MessageReader(MESSAGE_LIMIT)
        const found: Uint8Array[] = []
        let from = 0
        for (const at of [...places.toSorted((left, right) => left - right), STREAM.length]) {
          reader.push(STREAM.subarray(from, at))
          from = at
          const next = (): Uint8Array | undefined => reader.nextRows() ?? reader.next()
          for (let piece = next(); piece; piece = next()) found.push(piece)
        }
        expect(reader.available).toBe(0)
        expect(new Uint8Array(Buffer.concat(found))).toEqual(STREAM)
      }),
      { seed: 6, numRuns: 500 },
    )
  })

  it('MessageReader refuses a row that is longer than anything of Postgres', () => {
    const reader = new MessageReader(HANDSHAKE_MESSAGE_LIMIT)
    reader.push(server.dataRow('a'))
    reader.push(server.dataRow('x'.repeat(HANDSHAKE_MESSAGE_LIMIT)))
    const rest = (): void => {
      while (reader.nextRows());
    }
    expect(codeOf(rest)).toBe('ERR_PROTOCOL')
  })

  it('MessageReader counts what is buffered', () => {
    const reader = new MessageReader(MESSAGE_LIMIT)
    reader.push(server.ready())
    reader.push(new Uint8Array(0))
    reader.push(STREAM.subarray(0, 3))
    expect(reader.available).toBe(9)
    reader.next()
    expect(reader.available).toBe(3)
  })

  it('MessageReader hands on a message of one chunk without copying it', () => {
    const reader = new MessageReader(MESSAGE_LIMIT)
    reader.push(STREAM)
    expect(reader.next()?.buffer).toBe(STREAM.buffer)
    expect(reader.next()?.buffer).toBe(STREAM.buffer)
  })

  it('MessageReader joins a large message once, however many chunks it came in', () => {
    const large = new Uint8Array(message('D', Buffer.alloc(4 * 1024 * 1024, 'x')))
    const reader = new MessageReader(MESSAGE_LIMIT)
    let joins = 0
    const set = Uint8Array.prototype.set
    Uint8Array.prototype.set = function (...values) {
      joins += 1
      return set.apply(this, values)
    }
    try {
      for (let at = 0; at < large.length; at += 4096) {
        reader.push(large.subarray(at, at + 4096))
        if (at + 4096 < large.length) expect(reader.next()).toBeUndefined()
      }
      expect(joins).toBe(0)
      expect(reader.next()).toHaveLength(large.length)
      expect(joins).toBe(Math.ceil(large.length / 4096))
    } finally {
      Uint8Array.prototype.set = set
    }
  })
})

describe('MessageReader limits', () => {
  it.each([0, 1, 2, 3])(
    'MessageReader refuses a length of %i, which cannot hold itself',
    (length) => {
      const reader = new MessageReader(MESSAGE_LIMIT)
      reader.push(header(length))
      expect(codeOf(() => reader.next())).toBe('ERR_PROTOCOL')
    },
  )

  it('MessageReader accepts the shortest message, of four bytes and a tag', () => {
    const reader = new MessageReader(MESSAGE_LIMIT)
    reader.push(header(4))
    expect(reader.next()).toEqual(header(4))
  })

  it('MessageReader refuses a message over the limit from its header alone', () => {
    const reader = new MessageReader(HANDSHAKE_MESSAGE_LIMIT)
    reader.push(header(HANDSHAKE_MESSAGE_LIMIT))
    expect(codeOf(() => reader.next())).toBe('ERR_PROTOCOL')
  })

  it('MessageReader waits for a message of exactly the limit', () => {
    const reader = new MessageReader(HANDSHAKE_MESSAGE_LIMIT)
    reader.push(header(HANDSHAKE_MESSAGE_LIMIT - 1))
    expect(reader.next()).toBeUndefined()
    reader.push(new Uint8Array(HANDSHAKE_MESSAGE_LIMIT - 5))
    expect(reader.next()).toHaveLength(HANDSHAKE_MESSAGE_LIMIT)
  })

  it('MessageReader accepts longer messages once its limit is raised', () => {
    const reader = new MessageReader(16)
    const long = message('D', Buffer.alloc(100))
    reader.push(new Uint8Array(long))
    expect(codeOf(() => reader.next())).toBe('ERR_PROTOCOL')
    reader.limit = 200
    expect(reader.next()).toHaveLength(long.length)
  })

  it.each([
    'HTTP/1.1 400 Bad Request\r\n\r\n',
    'HTTP/1.1 204 OK\r\nx-app-version: 2.9\r\n\r\n',
    '<html>hello</html>',
    'SSH-2.0-OpenSSH_9.6\r\n',
    '220 mail.example ESMTP\r\n',
    '-ERR unknown command\r\n',
  ])('MessageReader says that %j is not Postgres, and where to look', (text) => {
    const reader = new MessageReader(HANDSHAKE_MESSAGE_LIMIT)
    reader.push(new TextEncoder().encode(text))
    expect(() => reader.next()).toThrow(/not Postgres.*6543/)
  })

  it('MessageReader goes on refusing after it has refused', () => {
    const reader = new MessageReader(MESSAGE_LIMIT)
    reader.push(header(0xffffffff))
    expect(codeOf(() => reader.next())).toBe('ERR_PROTOCOL')
    reader.push(server.ready())
    expect(codeOf(() => reader.next())).toBe('ERR_PROTOCOL')
  })
})
