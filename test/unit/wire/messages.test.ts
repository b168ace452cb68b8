import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as answers from '../../../src/wire/local-answers.ts'
import * as wire from '../../../src/wire/messages.ts'
import { errorMessage, ready } from '../../support/server-messages.ts'
import * as expected from '../../support/wire-messages.ts'

/** Hexadecimal with blanks, as a protocol's documentation shows bytes. */
function bytes(text: string): Uint8Array {
  return Uint8Array.from(text.trim().split(/\s+/), (pair) => Number.parseInt(pair, 16))
}

const withoutNul = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', ''))

describe('builders', () => {
  it('sslRequest is exactly the eight bytes of the protocol', () => {
    expect(wire.sslRequest()).toEqual(bytes('00 00 00 08 04 d2 16 2f'))
  })

  it('startupMessage is version 3.0, the pairs in order, and a last NUL', () => {
    expect(wire.startupMessage({ user: 'a', database: 'b' })).toEqual(
      bytes('00 00 00 1b 00 03 00 00 75 73 65 72 00 61 00 64 61 74 61 62 61 73 65 00 62 00 00'),
    )
  })

  it('startupMessage counts bytes and not characters', () => {
    const message = wire.startupMessage({ user: 'jürgen', database: '数据' })
    expect(Buffer.from(message)).toEqual(
      expected.startupMessage({ user: 'jürgen', database: '数据' }),
    )
    expect(wire.readUint32(message, 0)).toBe(message.length)
  })

  it('startupMessage without parameters is nine bytes', () => {
    expect(wire.startupMessage({})).toEqual(bytes('00 00 00 09 00 03 00 00 00'))
  })

  it('cancelRequest is sixteen bytes with process and secret, both unsigned', () => {
    expect(wire.cancelRequest({ processId: 1, secret: 0xfffffffe })).toEqual(
      bytes('00 00 00 10 04 d2 16 2e 00 00 00 01 ff ff ff fe'),
    )
  })

  it('passwordMessage ends with one NUL', () => {
    expect(wire.passwordMessage('pw')).toEqual(bytes('70 00 00 00 07 70 77 00'))
  })

  it('saslInitialResponse has the mechanism, a length and no NUL behind the data', () => {
    expect(wire.saslInitialResponse('M', 'n,,')).toEqual(
      bytes('70 00 00 00 0d 4d 00 00 00 00 03 6e 2c 2c'),
    )
  })

  it('saslResponse is the bare data, because a NUL would make it a password to Supavisor', () => {
    expect(wire.saslResponse('c=biws')).toEqual(bytes('70 00 00 00 0a 63 3d 62 69 77 73'))
  })

  it('queryMessage ends with one NUL', () => {
    expect(wire.queryMessage('é')).toEqual(bytes('51 00 00 00 07 c3 a9 00'))
  })

  it('syncMessage, terminateMessage and copyFailMessage are what the protocol lists', () => {
    expect(wire.syncMessage()).toEqual(bytes('53 00 00 00 04'))
    expect(wire.terminateMessage()).toEqual(bytes('58 00 00 00 04'))
    expect(wire.copyFailMessage('no')).toEqual(bytes('66 00 00 00 07 6e 6f 00'))
  })

  it('errorResponse has both severities, code and message, each ended by NUL, and a last NUL', () => {
    expect(answers.errorResponse('X1', 'm')).toEqual(
      bytes('45 00 00 00 1a 53 45 52 52 4f 52 00 56 45 52 52 4f 52 00 43 58 31 00 4d 6d 00 00'),
    )
  })

  it('emptyQueryResponse and readyForQuery are what a server sends', () => {
    expect(answers.emptyQueryResponse()).toEqual(bytes('49 00 00 00 04'))
    expect(answers.readyForQuery('E')).toEqual(bytes('5a 00 00 00 05 45'))
  })

  it('localGreeting is AuthenticationOk, BackendKeyData and ReadyForQuery', () => {
    expect(answers.localGreeting({ processId: 1, secret: 2 })).toEqual(
      bytes('52 00 00 00 08 00 00 00 00 4b 00 00 00 0c 00 00 00 01 00 00 00 02 5a 00 00 00 05 49'),
    )
  })

  it('queryMessage agrees with an independent builder for any text', () => {
    fc.assert(
      fc.property(withoutNul, (text) => {
        expect(Buffer.from(wire.queryMessage(text))).toEqual(expected.query(text))
      }),
      { seed: 1 },
    )
  })

  it('saslInitialResponse agrees with an independent builder for any text', () => {
    fc.assert(
      fc.property(withoutNul, withoutNul, (mechanism, first) => {
        expect(Buffer.from(wire.saslInitialResponse(mechanism, first))).toEqual(
          expected.saslInitialResponse(mechanism, first),
        )
      }),
      { seed: 2 },
    )
  })
})

describe('readers', () => {
  it('readUint32 is big-endian, unsigned, and respects the offset of a view', () => {
    const view = bytes('aa bb ff ff ff fe').subarray(1)
    expect(wire.readUint32(view, 1)).toBe(0xfffffffe)
  })

  it('concat returns a single chunk itself and joins several in order', () => {
    const one = bytes('01 02')
    expect(wire.concat([one])).toBe(one)
    expect(wire.concat([])).toEqual(new Uint8Array(0))
    expect(wire.concat([one, bytes('03'), new Uint8Array(0), bytes('04')])).toEqual(
      bytes('01 02 03 04'),
    )
  })

  it('readBackendKey reads what cancelRequest writes, for any key', () => {
    const uint32 = fc.integer({ min: 0, max: 0xffffffff })
    fc.assert(
      fc.property(uint32, uint32, (processId, secret) => {
        const key = { processId, secret }
        expect(wire.readBackendKey(answers.localGreeting(key).subarray(9))).toEqual(key)
        expect(wire.readStartup(wire.cancelRequest(key))).toEqual(key)
      }),
      { seed: 3 },
    )
  })

  it('readStartup takes a start-up message for one', () => {
    expect(wire.readStartup(wire.startupMessage({ user: 'x' }))).toBe('startup')
  })

  it('readErrorFields prefers the severity that is never translated', () => {
    const fields = 'SFATAL(übersetzt)\0VFATAL\0C28P01\0Mno\0DKey (id)=(secret)\0\0'
    const message = expected.message('E', Buffer.from(fields))
    expect(wire.readErrorFields(message)).toEqual({
      severity: 'FATAL',
      sqlState: '28P01',
      message: 'no',
    })
  })

  it('readErrorFields takes the translated severity of servers before 9.6', () => {
    const message = expected.message('E', Buffer.from('SFATAL\0C08P01\0Mno\0\0'))
    expect(wire.readErrorFields(message).severity).toBe('FATAL')
  })

  it('readErrorFields makes do with nothing', () => {
    expect(wire.readErrorFields(expected.message('E', Buffer.from('\0')))).toEqual({
      severity: 'ERROR',
      sqlState: '',
      message: '',
    })
  })

  it('readErrorFields reads what errorResponse writes, for any text', () => {
    fc.assert(
      fc.property(withoutNul, withoutNul, (code, words) => {
        expect(wire.readErrorFields(answers.errorResponse(code, words))).toEqual({
          severity: 'ERROR',
          sqlState: code,
          message: words,
        })
        expect(wire.readErrorFields(errorMessage('PANIC', code, words))).toEqual({
          severity: 'PANIC',
          sqlState: code,
          message: words,
        })
      }),
      { seed: 4 },
    )
  })

  it('readCString ends at NUL, or at the end where there is none', () => {
    expect(wire.readCString(bytes('61 c3 a9 00 62'), 0)).toBe('aé')
    expect(wire.readCString(bytes('61 62'), 1)).toBe('b')
    expect(wire.readCString(bytes('61'), 9)).toBe('')
  })

  it('readyForQuery is read back by the independent test bed', () => {
    for (const status of ['I', 'T', 'E'] as const) {
      expect(Buffer.from(answers.readyForQuery(status))).toEqual(ready(status))
    }
  })
})
