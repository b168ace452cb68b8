import { describe, expect, it } from 'vitest'
import { OwnTransaction } from '../../../src/wire/own-transaction.ts'
import { message } from '../../support/wire-messages.ts'

const OPEN = 'T'.charCodeAt(0)
const FAILED = 'E'.charCodeAt(0)
const IDLE = 'I'.charCodeAt(0)

const complete = (tag: string): Buffer => message('C', Buffer.from(`${tag}\0`))
const notice = message('N', Buffer.from('SNOTICE\0\0'))
const failure = message('E', Buffer.from('SERROR\0\0'))
const ready = message('Z', Buffer.from('I'))

const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString()

describe('OwnTransaction', () => {
  it.each([
    ['commits what is open', OPEN, 'commit'],
    ['rolls back what has failed', FAILED, 'rollback'],
  ])('%s, once', (_what, status, words) => {
    const own = new OwnTransaction()
    expect(textOf(own.end(status))).toContain(words)
    expect(own.end(status)).toBeUndefined()
  })

  it('has nothing to end where a statement has ended it', () => {
    expect(new OwnTransaction().end(IDLE)).toBeUndefined()
  })

  it('keeps the end of a COPY until its COMMIT has been answered, whatever is said aside', () => {
    const own = new OwnTransaction()
    const end = complete('COPY 2')
    expect(own.pass(end)).toBeUndefined()
    expect(own.pass(notice)).toBe(notice)
    end.fill(0)
    expect(textOf(own.release())).toBe(textOf(complete('COPY 2')))
    expect(own.release()).toBeUndefined()
  })

  it('does not tell of the end of a COPY that was taken back', () => {
    const own = new OwnTransaction()
    own.pass(complete('COPY 2'))
    expect(own.pass(failure)).toBe(failure)
    expect(own.pass(ready)).toBe(ready)
    expect(own.release()).toBeUndefined()
  })

  it('keeps the order of several statements', () => {
    const own = new OwnTransaction()
    expect(own.pass(complete('COPY 1'))).toBeUndefined()
    expect(textOf(own.pass(complete('COPY 2')))).toBe(textOf(complete('COPY 1')))
    const both = Buffer.concat([complete('COPY 2'), complete('SELECT 3')])
    expect(textOf(own.pass(complete('SELECT 3')))).toBe(textOf(both))
  })
})
