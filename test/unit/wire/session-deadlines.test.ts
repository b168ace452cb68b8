import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type MemoryDriver, type MemoryWire, memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

const LIMIT = 3_000
const CLOSE_LIMIT = 100

interface Stage {
  wire: MemoryWire
  driver: MemoryDriver
  peer: MemoryPeer
}

/** A driver whose flight has arrived at the server. */
async function stage(...messages: Buffer[]): Promise<Stage> {
  const wire = memoryWire({ queryTimeoutMs: LIMIT, closeTimeoutMs: CLOSE_LIMIT })
  const driver = await wire.driver()
  driver.write(...messages)
  const peer = await wire.login()
  while ((await peer.next()).tag !== String.fromCharCode(messages.at(-1)?.[0] ?? 0));
  await rest()
  return { wire, driver, peer }
}

describe('queryTimeoutMs', () => {
  it('Session ends a connection whose server is silent while an answer is due', async () => {
    const { wire, driver, peer } = await stage(client.query('select pg_sleep(99)'))
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    expect(driver.unread).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(await driver.until('Z')).toEqual(['error ERR_QUERY_TIMEOUT', 'ZI'])
    expect(driver.errors[0]).toMatchObject({ retryable: false })
    // The server is asked to stop the statement before the connection goes.
    await vi.advanceTimersByTimeAsync(1)
    const cancelling = await wire.server.accept()
    await cancelling.expect('CancelRequest')
    cancelling.finish()
    await vi.advanceTimersByTimeAsync(CLOSE_LIMIT)
    expect(peer.ended).toBe('destroyed')
    expect(wire.events.at(-1)).toBe('closed ERR_QUERY_TIMEOUT')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('Session parts in peace from a server that stops the statement when it is asked to', async () => {
    const { wire, driver, peer } = await stage(client.query('select pg_sleep(99)'))
    await vi.advanceTimersByTimeAsync(LIMIT + 1)
    await driver.until('error ERR_QUERY_TIMEOUT')
    const cancelling = await wire.server.accept()
    cancelling.finish()
    peer.send(server.errorMessage('ERROR', '57014', 'canceling statement'), server.ready())
    await peer.expect('X')
    await rest()
    expect(peer.ended).toBe('closed')
    expect(wire.events.at(-1)).toBe('closed ERR_QUERY_TIMEOUT')
  })

  it('Session begins the wait anew with everything that the server says', async () => {
    const { driver, peer } = await stage(client.query('slow rows'))
    peer.send(server.rowDescription)
    for (let row = 0; row < 5; row++) {
      await rest()
      await vi.advanceTimersByTimeAsync(LIMIT - 1)
      peer.send(server.dataRow('x'))
    }
    await rest()
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    peer.send(server.commandComplete('SELECT 5'), server.ready())
    expect(await driver.until('Z')).toEqual(['T', 'D', 'D', 'D', 'D', 'D', 'C', 'ZI'])
  })

  it('Session has no limit for a connection that owes nothing', async () => {
    const { driver, peer } = await stage(client.query('select 1'))
    peer.send(server.result('1'))
    await driver.until('ZI')
    expect(vi.getTimerCount()).toBe(0)
    await vi.advanceTimersByTimeAsync(100 * LIMIT)
    expect(peer.ended).toBeUndefined()
  })

  it('Session counts the time of a part that goes ahead at a Flush', async () => {
    const { driver } = await stage(client.parse('x'), client.bind(), client.flush)
    await vi.advanceTimersByTimeAsync(LIMIT)
    await driver.until('error ERR_QUERY_TIMEOUT')
  })

  it('Session counts the time of a write that the server does not take', async () => {
    const { driver, peer } = await stage(client.query('copy t from stdin'))
    peer.send(server.copyInResponse)
    await driver.until('G')
    peer.onWrite = () => new Promise(() => undefined)
    driver.write(client.message('d', Buffer.from('1\n')))
    await rest()
    await vi.advanceTimersByTimeAsync(LIMIT)
    await driver.until('error ERR_QUERY_TIMEOUT')
  })

  it('Session counts the wait of each flight from when it was sent, not from when it was written', async () => {
    const { driver, peer } = await stage(client.query('first'), client.query('second'))
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    peer.send(server.result('1'))
    await driver.until('ZI')
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    expect(driver.unread).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    await driver.until('error ERR_QUERY_TIMEOUT')
  })
})
