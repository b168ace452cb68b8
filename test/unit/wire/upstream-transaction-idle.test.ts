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

async function stageTransaction(): Promise<Stage> {
  const made = await stage(client.beginAtOnce)
  made.peer.send(server.commandComplete('BEGIN'), server.ready('T'))
  await made.driver.until('ZT')
  return made
}

describe('a transaction in which nothing happens', () => {
  it('Upstream rolls it back in time, frees the driver, and fails what comes later', async () => {
    const { wire, driver, peer } = await stageTransaction()
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    expect(peer.unread).toBe('')
    await vi.advanceTimersByTimeAsync(1)
    expect(await driver.until('Z')).toEqual(['ZI'])
    expect((await peer.next()).payload.toString()).toBe('rollback\0')
    peer.send(server.commandComplete('ROLLBACK'), server.ready())
    await peer.expect('X')
    await rest()
    expect(peer.ended).toBe('closed')
    driver.write(client.query('insert'))
    expect(await driver.until('Z')).toEqual(['error ERR_TRANSACTION_IDLE', 'ZI'])
    expect(wire.server.peers).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('Upstream begins the wait anew with every statement', async () => {
    const { driver, peer } = await stageTransaction()
    for (let statement = 0; statement < 3; statement++) {
      await vi.advanceTimersByTimeAsync(LIMIT - 1)
      driver.write(client.query('insert'))
      await peer.expect('Q')
      peer.send(server.commandComplete('INSERT 0 1'), server.ready('T'))
      await driver.until('ZT')
    }
    expect(driver.errors).toEqual([])
  })

  it('Upstream does not count the time that the connection takes, where nothing was sent before', async () => {
    const wire = memoryWire({ queryTimeoutMs: LIMIT, connectTimeoutMs: 3 * LIMIT })
    const driver = await wire.driver()
    driver.write(client.query('begin'))
    await driver.until('ZT')
    driver.write(client.query('insert'))
    const peer = await wire.server.accept()
    await vi.advanceTimersByTimeAsync(2 * LIMIT)
    peer.send(server.authenticationOk, server.greeting)
    await rest()
    expect(driver.errors).toEqual([])
    await peer.expect('Startup', 'P', 'B', 'E', 'P', 'B', 'D', 'E', 'S')
  })

  it('Upstream does not count the time of the statements themselves', async () => {
    const { driver, peer } = await stageTransaction()
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    driver.write(client.query('insert'))
    await peer.expect('Q')
    peer.send(server.notice('still at it'))
    await driver.until('N')
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    expect(driver.errors).toEqual([])
    expect(peer.unread).toBe('')
  })

  it('Upstream waits no more once the transaction has ended', async () => {
    const { driver, peer } = await stageTransaction()
    driver.write(client.query('commit'))
    await peer.expect('Q')
    peer.send(server.commandComplete('COMMIT'), server.ready())
    await driver.until('ZI')
    expect(vi.getTimerCount()).toBe(0)
    await vi.advanceTimersByTimeAsync(10 * LIMIT)
    expect(peer.ended).toBeUndefined()
  })

  it('Upstream rolls back a transaction that has failed, too', async () => {
    const { driver, peer } = await stageTransaction()
    driver.write(client.query('fail'))
    await peer.expect('Q')
    peer.send(server.errorMessage('ERROR', '22012', 'x'), server.ready('E'))
    await driver.until('ZE')
    await vi.advanceTimersByTimeAsync(LIMIT)
    expect(await driver.until('Z')).toEqual(['ZI'])
    expect((await peer.next()).payload.toString()).toBe('rollback\0')
  })

  it('Upstream drops the connection where even the rollback is not answered', async () => {
    const { driver, peer } = await stageTransaction()
    await vi.advanceTimersByTimeAsync(LIMIT)
    await peer.expect('Q')
    await vi.advanceTimersByTimeAsync(LIMIT)
    await rest()
    expect(peer.ended).toBe('destroyed')
    driver.write(client.query('insert'))
    await driver.until('error ERR_TRANSACTION_IDLE')
  })
})
