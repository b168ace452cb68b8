import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type MemoryDriver, memoryWire } from '../../support/memory-driver.ts'
import { rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

describe('Front and how the network cuts', () => {
  const ANSWERS = Buffer.concat([
    server.result('one', 'ünï'),
    server.notice('careful'),
    server.parseComplete,
    server.errorMessage('ERROR', '22012', 'division by zero'),
    server.ready('E'),
    server.emptyQueryResponse,
    server.ready(),
  ])

  /** What a driver hears when the answers to three flights come in these chunks. */
  async function hear(cuts: readonly number[]): Promise<MemoryDriver> {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('a'))
    const peer = await wire.login()
    // What is not read while a flight is awaited would be said to nobody: three flights, three answers.
    driver.write(client.query('b'), client.query('c'))
    const ends = [0, ...cuts.toSorted((left, right) => left - right), ANSWERS.length]
    await peer.expect('Q')
    for (const [at, end] of ends.entries()) {
      peer.send(ANSWERS.subarray(ends[at - 1] ?? 0, end))
      await rest()
    }
    return driver
  }

  it('Front delivers the same bytes wherever the answers are cut in two', async () => {
    const heard = ['T', 'D', 'D', 'C', 'ZI', 'N', '1', 'E', 'ZE', 'I', 'ZI']
    for (let at = 0; at <= ANSWERS.length; at++) {
      const driver = await hear([at])
      expect(driver.unread, `cut at ${at}`).toEqual(heard)
      expect(driver.bytes).toEqual(ANSWERS)
    }
  })

  it('Front delivers the same bytes however the answers are cut', async () => {
    const cuts = fc.array(fc.nat(ANSWERS.length), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(cuts, async (places) => {
        expect((await hear(places)).bytes).toEqual(ANSWERS)
      }),
      { seed: 8, numRuns: 50 },
    )
  })

  it('Front sends the same bytes wherever a driver cuts its own', async () => {
    const said = Buffer.concat([client.parse('rows $1'), client.bind(['1']), client.flush])
    const then = Buffer.concat([client.execute, client.sync, client.query('x')])
    for (let at = 0; at <= said.length + then.length; at++) {
      const wire = memoryWire()
      const driver = await wire.driver()
      const all = Buffer.concat([said, then])
      driver.write(all.subarray(0, at))
      driver.write(all.subarray(at))
      const peer = await wire.login()
      await peer.expect('P', 'B', 'H', 'E', 'S')
      peer.send(server.result('1'))
      await peer.expect('Q')
      expect(Buffer.concat(peer.writes.slice(1)), `cut at ${at}`).toEqual(all)
    }
  })
})
