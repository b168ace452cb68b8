import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type MemoryDriver, type MemoryWire, memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

const LIMIT = 3_000
const someRows = client.message('E', Buffer.from([0, 0, 0, 0, 2]))

interface Stage {
  wire: MemoryWire
  driver: MemoryDriver
  peer: MemoryPeer
}

/** A driver whose flight has arrived at the server. */
async function stage(...messages: Buffer[]): Promise<Stage> {
  const wire = memoryWire({ queryTimeoutMs: LIMIT })
  const driver = await wire.driver()
  driver.write(...messages)
  const peer = await wire.login()
  while ((await peer.next()).tag !== String.fromCharCode(messages.at(-1)?.[0] ?? 0));
  await rest()
  return { wire, driver, peer }
}

async function stageTransaction(): Promise<Stage> {
  const made = await stage(client.query('begin'))
  made.peer.send(server.commandComplete('BEGIN'), server.ready('T'))
  await made.driver.until('ZT')
  return made
}

describe('queryTimeoutMs', () => {
  it('Session ends a connection whose server is silent while an answer is due', async () => {
    const { wire, driver, peer } = await stage(client.query('select pg_sleep(99)'))
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    expect(driver.unread).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(await driver.until('Z')).toEqual(['error ERR_QUERY_TIMEOUT', 'ZI'])
    expect(driver.errors[0]).toMatchObject({ retryable: false })
    expect(peer.ended).toBe('destroyed')
    expect(wire.events.at(-1)).toBe('closed ERR_QUERY_TIMEOUT')
    expect(vi.getTimerCount()).toBe(0)
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

  it('Session does not count the time that a driver takes between two batches of a cursor', async () => {
    const { driver, peer } = await stage(client.parse('x'), client.bind(), someRows, client.flush)
    peer.send(server.parseComplete, server.bindComplete, server.portalSuspended)
    await driver.until('s')
    await vi.advanceTimersByTimeAsync(10 * LIMIT)
    expect(peer.ended).toBeUndefined()
    driver.write(someRows, client.flush)
    await vi.advanceTimersByTimeAsync(LIMIT)
    await driver.until('error ERR_QUERY_TIMEOUT')
  })

  it('Session counts the time of a Describe and Flush, and not that behind its answer', async () => {
    const { driver, peer } = await stage(client.parse('x'), client.describe, client.flush)
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    peer.send(server.parseComplete, server.parameterDescription(1), server.noData)
    await driver.until('n')
    await vi.advanceTimersByTimeAsync(10 * LIMIT)
    expect(peer.ended).toBeUndefined()
    driver.write(client.bind(['1']), client.execute, client.sync)
    await rest()
    await vi.advanceTimersByTimeAsync(LIMIT)
    await driver.until('error ERR_QUERY_TIMEOUT')
  })

  it('Session does not count the time that a driver takes for the rows of a COPY', async () => {
    const { driver, peer } = await stage(client.query('copy t from stdin'))
    peer.send(server.copyInResponse)
    await driver.until('G')
    await vi.advanceTimersByTimeAsync(10 * LIMIT)
    driver.write(client.message('d', Buffer.from('1\n')))
    await vi.advanceTimersByTimeAsync(10 * LIMIT)
    expect(peer.ended).toBeUndefined()
    driver.write(client.message('c'))
    await vi.advanceTimersByTimeAsync(LIMIT)
    await driver.until('error ERR_QUERY_TIMEOUT')
  })

  it('Session does not count the time in which the driver wants no bytes', async () => {
    const { driver, peer } = await stage(client.query('copy t to stdout'))
    peer.send(server.copyOutResponse)
    await driver.until('H')
    driver.front.pause()
    // What was being read when the driver paused still comes.
    peer.send(server.copyData('1\n'))
    await driver.until('d')
    await vi.advanceTimersByTimeAsync(10 * LIMIT)
    expect(peer.ended).toBeUndefined()
    driver.front.resume()
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    expect(peer.ended).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
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
