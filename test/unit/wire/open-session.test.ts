import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { memoryWire } from '../../support/memory-driver.ts'
import { rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

const FULL = server.errorMessage('FATAL', '08P01', 'no more connections allowed (max_client_conn)')
const MOST = 250

async function stage(options: { connectRetries: number; connectTimeoutMs?: number }) {
  const wire = memoryWire(options)
  const driver = await wire.driver()
  driver.write(client.query('select 1'))
  const refuse = async (message: Buffer) => {
    const peer = await wire.server.accept()
    await peer.expect('Startup')
    peer.send(message)
    peer.finish()
    await rest()
    return peer
  }
  return { wire, driver, refuse }
}

describe('a pooler that is full', () => {
  it('openSession asks it again after a while, and nobody notices', async () => {
    const { wire, driver, refuse } = await stage({ connectRetries: 1 })
    await refuse(FULL)
    expect(driver.errors).toEqual([])
    expect(wire.server.peers).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(MOST)
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.result('1'))
    expect((await driver.until('Z')).at(-1)).toBe('ZI')
    expect(wire.meter).toMatchObject({ connects: 1, queries: 1 })
    expect(wire.events.filter((event) => event === 'opening')).toHaveLength(1)
  })

  it('openSession leaves it alone for 50 ms at the least', async () => {
    const { wire, refuse } = await stage({ connectRetries: 1 })
    await refuse(FULL)
    await vi.advanceTimersByTimeAsync(49)
    expect(wire.server.peers).toHaveLength(1)
  })

  it.each([0, 1, 3])('openSession gives up after %i more attempts', async (connectRetries) => {
    const { wire, driver, refuse } = await stage({ connectRetries })
    for (let attempt = 0; attempt <= connectRetries; attempt++) {
      await refuse(FULL)
      await vi.advanceTimersByTimeAsync(MOST)
    }
    await driver.until('error ERR_POOLER_FULL')
    expect(driver.errors[0]).toMatchObject({ retryable: true })
    expect(wire.server.peers).toHaveLength(connectRetries + 1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('openSession does not wait past connectTimeoutMs', async () => {
    const { wire, driver, refuse } = await stage({ connectRetries: 10, connectTimeoutMs: 40 })
    await refuse(FULL)
    await driver.until('error ERR_POOLER_FULL')
    expect(wire.server.peers).toHaveLength(1)
  })

  it.each([
    ['28P01', 'password authentication failed', 'ERR_AUTH_PASSWORD'],
    ['3D000', 'database "x" does not exist', 'ERR_DATABASE_UNKNOWN'],
    ['57P03', 'the database system is starting up', 'ERR_SERVER_UNAVAILABLE'],
  ])('openSession asks nobody twice who says %s %s', async (sqlState, words, code) => {
    const { wire, driver, refuse } = await stage({ connectRetries: 5 })
    await refuse(server.errorMessage('FATAL', sqlState, words))
    await driver.until(`error ${code}`)
    await vi.advanceTimersByTimeAsync(10 * MOST)
    expect(wire.server.peers).toHaveLength(1)
  })

  it('openSession asks no more once nobody wants the connection', async () => {
    const { wire, driver, refuse } = await stage({ connectRetries: 5 })
    await refuse(FULL)
    const { NullpoolError } = await import('../../../src/errors.ts')
    void wire.upstream.close(() => new NullpoolError('ERR_SCOPE_CLOSED', 'over'))
    await driver.until('error ERR_SCOPE_CLOSED')
    await vi.advanceTimersByTimeAsync(10 * MOST)
    expect(wire.server.peers.filter(({ ended }) => ended === undefined)).toEqual([])
  })
})
