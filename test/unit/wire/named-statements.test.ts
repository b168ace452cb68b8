import { describe, expect, it } from 'vitest'
import { Flight } from '../../../src/wire/flight.ts'
import { type FlightReceiver, NOBODY } from '../../../src/wire/flight-receiver.ts'
import {
  Backend,
  frame,
  readCString,
  readUint32,
  statementMessages,
  syncMessage,
  type TransactionStatus,
  uint16,
} from '../../../src/wire/messages.ts'
import { NamedStatements } from '../../../src/wire/named-statements.ts'
import { StatementNames, StatementsInCommon } from '../../../src/wire/statement-names.ts'

const HERE: FlightReceiver = { ...NOBODY, placeName: 'here' }
const OUT_OF_DATE = error('0A000', 'RevalidateCachedQuery')
const STATUS = { I: ready('I'), T: ready('T'), E: ready('E') }
const [parsed, bound, closed, done] = [
  frame(Backend.parseComplete),
  frame(Backend.bindComplete),
  frame(Backend.closeComplete),
  frame(Backend.commandComplete, 'SELECT 1\0'),
]

function ready(status: TransactionStatus): Uint8Array {
  return frame(Backend.readyForQuery, status)
}

function error(code: string, routine = ''): Uint8Array {
  return frame(Backend.errorResponse, `SERROR\0VERROR\0C${code}\0Mno\0R${routine}\0\0`)
}

/** A connection behind its login, with a server that says what it is told to. */
class Wire {
  sentAgain: string[] = []
  names: NamedStatements
  constructor(max = 10, common = new StatementsInCommon()) {
    this.names = new NamedStatements(new StatementNames(common, max), (bytes) => {
      this.sentAgain.push(spell(bytes))
    })
    this.names.reply(ready('I'))
  }

  /** Sends statements as one flight; returns what leaves. */
  send(texts: readonly string[], status: TransactionStatus = 'I', receiver = HERE): string {
    const flight = new Flight(receiver)
    for (const text of texts) for (const each of statementMessages(text)) flight.add(each)
    flight.add(syncMessage())
    return spell(this.names.take(flight, status) ?? new Uint8Array())
  }

  /** The letters of what the driver gets of these answers. */
  hear(...answers: readonly Uint8Array[]): string {
    return answers.map((answer) => letter(this.names.reply(answer))).join('')
  }

  /** The statement has its name afterwards. */
  learn(text: string): void {
    this.send([text])
    this.hear(parsed, bound, done, STATUS.I)
    this.send([text])
    this.hear(parsed, bound, done, STATUS.I)
  }
}

function letter(message: Uint8Array | undefined): string {
  return message ? String.fromCharCode(message[0] ?? 0) : ''
}

/** Each message by its letter, with the name of the statement that it is about. */
function spell(bytes: Uint8Array): string {
  const words: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + readUint32(bytes, at + 1)
    const message = bytes.subarray(at, end)
    const nameAt = { P: 5, B: message.indexOf(0, 5) + 1, C: 6 }[letter(message)]
    words.push(letter(message) + (nameAt ? readCString(message, nameAt) : ''))
    at = end
  }
  return words.join(' ')
}

describe('statements by name', () => {
  it('are parsed without one, then with one, then no more', () => {
    const wire = new Wire()
    expect(wire.send(['a'])).toBe('P B E S')
    expect(wire.hear(parsed, bound, done, STATUS.I)).toBe('12CZ')
    expect(wire.send(['a'])).toBe('Pn1 Bn1 E S')
    expect(wire.hear(parsed, bound, done, STATUS.I)).toBe('12CZ')
    expect(wire.send(['a'])).toBe('Cnone Bn1 E S')
    expect(wire.hear(closed, bound, done, STATUS.I)).toBe('12CZ')
  })

  it('go without where nothing is known of their place', () => {
    const wire = new Wire()
    wire.learn('a')
    expect(wire.send(['a'], 'I', NOBODY)).toBe('P B E S')
  })

  it('go without until the server has taken the Parse, and behind one that it has refused', () => {
    const wire = new Wire()
    wire.send(['a'])
    wire.hear(parsed, bound, done, STATUS.I)
    expect([wire.send(['a']), wire.send(['a'])]).toEqual(['Pn1 Bn1 E S', 'P B E S'])
    expect(wire.hear(error('42601'), STATUS.I)).toBe('EZ')
    expect(wire.hear(parsed, bound, done, STATUS.I)).toBe('12CZ')
    expect(wire.send(['a'])).toBe('Pn2 Bn2 E S')
  })

  it('give way, and the names of those are closed, now or when there was an error first', () => {
    const wire = new Wire(1)
    wire.learn('a')
    wire.send(['b'])
    wire.hear(parsed, bound, done, STATUS.I)
    expect(wire.send(['b'])).toBe('Cn1 Pn2 Bn2 E S')
    expect(wire.hear(closed, parsed, bound, done, STATUS.I)).toBe('12CZ')
    wire.learn('a')
    expect(wire.send(['c'])).toBe('P B E S')
    wire.hear(parsed, bound, done, STATUS.I)
    wire.send(['c'])
    wire.hear(error('25P02'), STATUS.E)
    expect(wire.send(['c'], 'E')).toMatch(/^Cn\d Pn\d/)
  })

  it('have no names any more behind DISCARD ALL and DEALLOCATE ALL', () => {
    for (const text of ['discard all', 'DEALLOCATE  ALL', 'deallocate prepare all']) {
      const wire = new Wire()
      wire.learn('a')
      wire.send([text])
      wire.hear(parsed, bound, done, STATUS.I)
      expect(wire.send(['a'])).toMatch(/^Pn2/)
    }
  })

  it('are put right behind a COPY, in which the server looks at no Sync', () => {
    const wire = new Wire()
    wire.learn('a')
    wire.send(['copy t from stdin'])
    expect(wire.hear(parsed, bound, frame(Backend.copyInResponse, uint16(0)))).toBe('12G')
    expect(wire.hear(done, STATUS.I)).toBe('CZ')
    expect(wire.send(['a'])).toBe('Cnone Bn1 E S')
    expect(wire.hear(closed, bound, done, STATUS.I)).toBe('12CZ')
  })
})

describe('a statement that is out of date', () => {
  it.each([OUT_OF_DATE, error('26000')])('is sent again, and its driver hears one answer', (no) => {
    const wire = new Wire()
    wire.learn('a')
    wire.send(['a'])
    expect(wire.hear(closed, no, STATUS.I)).toBe('1')
    expect(wire.sentAgain).toEqual(['Cn1 Pn2 Bn2 E S'])
    expect(wire.hear(closed, parsed, bound, done, STATUS.I)).toBe('2CZ')
  })

  it('is sent again once', () => {
    const wire = new Wire()
    wire.learn('a')
    wire.send(['a'])
    wire.hear(closed, OUT_OF_DATE, STATUS.I)
    expect(wire.hear(closed, OUT_OF_DATE, STATUS.I)).toBe('EZ')
    expect(wire.sentAgain).toHaveLength(1)
  })

  it('is sent again with the settings of its transaction, which are no work of their own', () => {
    const settings = 'select pg_catalog.set_config($1,$2,true),pg_catalog.set_config($3,$4,true)'
    const wire = new Wire()
    wire.learn('a')
    wire.send([settings, 'a'])
    expect(wire.hear(parsed, bound, done, closed, OUT_OF_DATE, STATUS.I)).toBe('12C1')
    expect(wire.sentAgain).toHaveLength(1)
    expect(wire.hear(closed, parsed, bound, done, parsed, bound, done, STATUS.I)).toBe('2CZ')
  })

  it.each<[string, readonly string[], TransactionStatus, Uint8Array[]]>([
    ['in a transaction', ['a'], 'T', [closed]],
    ['behind its own BEGIN', ['begin', 'a'], 'I', [parsed, bound, done, closed]],
    ['behind work of the same flight', ['insert', 'a'], 'I', [parsed, bound, done, closed]],
    ['once it runs', ['a'], 'I', [closed, bound]],
  ])('is not sent again %s', (_when, texts, status, before) => {
    const wire = new Wire()
    wire.learn('a')
    wire.send(texts, status)
    wire.hear(...before)
    expect(wire.hear(OUT_OF_DATE, status === 'T' ? STATUS.E : STATUS.I)).toBe('EZ')
    expect(wire.sentAgain).toEqual([])
  })

  it('is not sent again where another one follows already', () => {
    const wire = new Wire()
    wire.learn('a')
    wire.send(['a'])
    wire.send(['b'])
    expect(wire.hear(closed, OUT_OF_DATE, STATUS.I)).toBe('1EZ')
    expect(wire.hear(parsed, bound, done, STATUS.I)).toBe('12CZ')
    expect(wire.sentAgain).toEqual([])
  })

  it('takes the names of all others with it, on every connection of the pool', () => {
    const common = new StatementsInCommon()
    const [one, other] = [new Wire(10, common), new Wire(10, common)]
    one.learn('a')
    other.learn('a')
    one.send(['a'], 'T')
    one.hear(closed, OUT_OF_DATE, STATUS.E)
    expect(other.send(['a'])).toMatch(/^Cn1 Pn2 Bn2/)
  })

  it('is told from an error of the same code that others raise', () => {
    const wire = new Wire()
    wire.learn('a')
    wire.send(['a'])
    expect(wire.hear(closed, error('0A000', 'ExecInitFunc'), STATUS.I)).toBe('1EZ')
  })
})
