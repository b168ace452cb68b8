import { describe, expect, it } from 'vitest'
import { Backend } from '../../../src/wire/messages.ts'
import { Replies } from '../../../src/wire/replies.ts'
import * as server from '../../support/server-messages.ts'

function passed(replies: Replies, ...messages: Buffer[]): string {
  const seen = messages.filter((message) => replies.passes(message))
  return seen.map((message) => String.fromCharCode(message[0] ?? 0)).join('')
}

const tag = server.commandComplete('SELECT 1')

describe('Replies', () => {
  it('Replies hides one of each type, in order, and nothing else', () => {
    const replies = new Replies()
    replies.hide(Backend.parseComplete, Backend.bindComplete)
    const { parseComplete, bindComplete } = server
    expect(passed(replies, parseComplete, bindComplete, parseComplete, bindComplete, tag)).toBe(
      '12C',
    )
  })

  it('Replies lets pass what may come at any time, and waits on', () => {
    const replies = new Replies()
    replies.hide(Backend.parseComplete)
    const aside = [server.notice('by the way'), server.parameterStatus('TimeZone', 'UTC')]
    expect(passed(replies, ...aside, server.parseComplete, server.parseComplete)).toBe('NS1')
  })

  it('Replies hides nothing behind an error, which is the driver’s', () => {
    const replies = new Replies()
    replies.hide(Backend.parseComplete, Backend.bindComplete)
    const error = server.errorMessage('ERROR', '42601', 'syntax error')
    expect(passed(replies, error, server.parseComplete, server.bindComplete)).toBe('E12')
    expect(replies.settled).toBe(true)
  })

  it('Replies hides what comes first before what was expected already', () => {
    const replies = new Replies()
    const looked: number[] = []
    replies.expect({
      types: [Backend.rowDescription, Backend.noData],
      hides: (message) => looked.push(message[0] ?? 0) > 0,
    })
    replies.hideFirst(Backend.parseComplete)
    expect(passed(replies, server.parseComplete, server.noData, server.noData)).toBe('n')
    expect(looked).toEqual([Backend.noData])
    expect(replies.settled).toBe(true)
  })
})
