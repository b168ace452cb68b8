import { describe, expect, it } from 'vitest'
import { memoryWire } from '../../support/memory-driver.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

/** The answer of a server that is none, to a query of one row. */
async function outcome(answer: Buffer): Promise<string[]> {
  const wire = memoryWire()
  const driver = await wire.driver()
  driver.write(client.query('select 1'))
  const peer = await wire.login()
  await peer.expect('Q')
  peer.send(answer)
  peer.send(server.commandComplete('SELECT 0'), server.ready())
  return driver.until('Z')
}

/** The same length and type, every NUL in it replaced. */
function withoutNul(message: Buffer, from: number): Buffer {
  return Buffer.from(message.map((byte, at) => (at >= from && byte === 0 ? 1 : byte)))
}

function withCount(message: Buffer, count: number): Buffer {
  const changed = Buffer.from(message)
  changed.writeUInt16BE(count, 5)
  return changed
}

describe('an answer that would make a driver look for its end for ever', () => {
  it.each([
    ['a column without the end of its name', withoutNul(server.rowDescription, 7)],
    ['fewer columns than announced', withCount(server.rowDescription, 2)],
    ['more columns than announced', withCount(server.rowDescription, 0)],
    ['a parameter less than announced', withCount(server.parameterDescription(1), 2)],
    ['a notification without the end of its channel', Buffer.from('A\0\0\0\x0bpid!abc', 'latin1')],
    ['a request for a password', Buffer.from('R\0\0\0\x08\0\0\0\x03', 'latin1')],
    ['a type that there is not', Buffer.from('!\0\0\0\x04', 'latin1')],
  ])('checkAnswer refuses %s', async (_, answer) => {
    expect(await outcome(answer)).toEqual(['error ERR_PROTOCOL', 'ZI'])
  })

  it.each([
    ['columns', server.rowDescription, 'T'],
    ['a notification', Buffer.from('A\0\0\0\x0dpid!abc\0\0', 'latin1'), 'A'],
    ['parameters', server.parameterDescription(3), 't'],
  ])('checkAnswer lets %s pass', async (_, answer, tag) => {
    expect(await outcome(answer)).toEqual([tag, 'C', 'ZI'])
  })
})
