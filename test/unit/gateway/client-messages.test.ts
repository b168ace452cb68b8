import { describe, expect, it } from 'vitest'
import { ClientMessages, READ_UP_TO } from '../../../src/gateway/client-messages.ts'
import { refusedStatement } from '../../../src/gateway/refused-statement.ts'
import * as wire from '../../support/wire-messages.ts'

const startup = wire.startupMessage({ user: 'u', database: 'd' })
const REPLACED = wire.query('replaced')

/** Reads chunks; a statement with LISTEN in it is replaced. */
function read(chunks: readonly Uint8Array[]): { sent: Buffer; rest: Buffer; pieces: number } {
  const messages = new ClientMessages((message) =>
    Buffer.from(message).includes('LISTEN') ? REPLACED : message,
  )
  const sent = chunks.flatMap((chunk) => messages.take(chunk))
  const rest = Buffer.concat(messages.rest())
  return { sent: Buffer.concat(sent), rest, pieces: sent.length }
}

/** The bytes in chunks of such a length. */
function cut(bytes: Buffer, length: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, n) =>
    bytes.subarray(n * length, (n + 1) * length),
  )
}

const untouched = [
  wire.sslRequest,
  startup,
  wire.saslResponse('proof'),
  wire.query('select 1'),
  wire.extended('select $1', ['one']),
  wire.sync,
  wire.message('d', Buffer.alloc(300)),
  wire.message('c'),
]

describe('the messages of a client', () => {
  const before = Buffer.concat(untouched)
  const conversation = Buffer.concat([
    before,
    wire.query('LISTEN a'),
    wire.parse('LISTEN b'),
    wire.sync,
    wire.terminate,
  ])
  const expected = Buffer.concat([before, REPLACED, REPLACED, wire.sync, wire.terminate])

  it('are found however they are cut', () => {
    for (let length = 1; length <= conversation.length; length++) {
      const { sent, rest } = read(cut(conversation, length))
      expect(sent.equals(expected), `chunks of ${length}`).toBe(true)
      expect(rest.length).toBe(0)
    }
  })

  it('are found whatever two pieces they come in', () => {
    for (let at = 1; at < conversation.length; at++) {
      const { sent } = read([conversation.subarray(0, at), conversation.subarray(at)])
      expect(sent.equals(expected), `cut at ${at}`).toBe(true)
    }
  })

  it('pass in one piece where nothing is changed', () => {
    expect(read([before])).toMatchObject({ pieces: 1, sent: before })
  })

  it('pass as far as they have come, but for statements', () => {
    const chunks = cut(Buffer.concat([startup, wire.message('d', Buffer.alloc(50))]), 7)
    const messages = new ClientMessages((message) => message)
    for (const chunk of chunks) expect(Buffer.concat(messages.take(chunk))).toEqual(chunk)
  })

  it('are given back where the client leaves in the middle of one', () => {
    const half = wire.query('LISTEN a').subarray(0, 9)
    expect(read([startup, half])).toMatchObject({ sent: startup, rest: half })
  })

  it.each([
    ['TLS', Buffer.concat([wire.sslRequest, Buffer.from([22, 3, 1, 0]), wire.query('LISTEN a')])],
    ['TLS without a request', Buffer.concat([Buffer.from([22]), wire.query('LISTEN a')])],
    ['a cancel request', Buffer.concat([wire.cancelRequest(1, 2), wire.query('LISTEN a')])],
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\nLISTEN')],
    ['a short start', Buffer.concat([Buffer.from([0, 0, 0, 4, 0, 3, 0, 0]), REPLACED])],
    ['a long start', Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 3, 0, 0]), REPLACED])],
    ['an unknown message', Buffer.concat([startup, wire.message('?'), wire.query('LISTEN a')])],
    ['a broken length', Buffer.concat([startup, Buffer.from('S\0\0\0\x03'), wire.query('LISTEN')])],
    [
      'a broken statement',
      Buffer.concat([startup, Buffer.from('Q\0\0\0\0'), wire.query('LISTEN')]),
    ],
  ])('pass to the end behind %s', (_what, bytes) => {
    for (let length = 1; length <= bytes.length; length++) {
      const { sent, rest } = read(cut(bytes, length))
      expect([sent.equals(bytes), rest.length], `chunks of ${length}`).toEqual([true, 0])
    }
  })

  it('pass unread where they are long, and those behind them do not', () => {
    const most = READ_UP_TO - Buffer.from('LISTEN').length - 6
    const long = (length: number): Buffer => wire.query(`LISTEN${' '.repeat(length)}`)
    for (const length of [READ_UP_TO * 3, 70_000, 1_000]) {
      const { sent } = read(cut(Buffer.concat([startup, long(most), long(most + 1)]), length))
      expect(sent.equals(Buffer.concat([startup, REPLACED, long(most + 1)]))).toBe(true)
    }
  })
})

describe('a statement that is refused', () => {
  const refusal = { sqlState: '0A000', message: "It's one…", detail: 'd', hint: 'h – i' }
  const text =
    "DO $nullpool$ BEGIN RAISE EXCEPTION USING errcode = '0A000', message = 'It''s one...', detail = 'd', hint = 'h  i'; END $nullpool$"
  const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255])
  const types = (...oids: number[]): Buffer[] => oids.map((oid) => Buffer.from([0, 0, 0, oid]))
  const parse = (sql: string, ...oids: number[]): Buffer =>
    wire.message('P', Buffer.from(`name\0${sql}\0`), int16(oids.length), ...types(...oids))

  it('becomes one that raises the error, and is none of the client’s words', () => {
    const made = refusedStatement(wire.query("LISTEN secret; select '$1'"), refusal)
    expect(Buffer.from(made)).toEqual(wire.query(text))
  })

  it.each([
    ['select pg_advisory_lock($1)', [], [25]],
    ['select pg_advisory_lock($2), $1', [20], [20, 25]],
    ['select pg_advisory_lock(1)', [0, 23], [25, 23]],
    ["select pg_advisory_lock(1), '$4', $$ $5 $$, a$6 -- $7", [], []],
  ])('takes the parameters of %s', (sql, said, declared) => {
    const made = refusedStatement(parse(sql, ...said), refusal)
    expect(Buffer.from(made)).toEqual(parse(text, ...declared))
  })

  it('takes no more than a message can count, and reads nothing behind its end', () => {
    const count = (message: Buffer): number =>
      Buffer.from(refusedStatement(message, refusal)).readUInt16BE(
        'Pxxxxname'.length + text.length + 2,
      )
    expect(count(parse('listen $99999'))).toBe(65_535)
    expect(count(wire.message('P', Buffer.from('name\0listen\0'), int16(9)))).toBe(0)
    expect(count(wire.message('P', Buffer.from('name\0listen\0')))).toBe(0)
  })
})
