import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TransportError } from '../../../src/wire/transport.ts'
import { memoryWire } from '../../support/memory-driver.ts'
import { rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

const LIMIT = 3_000

/** On Workers, a write that comes from another request is refused by the runtime. */
const foreign = (): Promise<never> =>
  Promise.reject(
    new TransportError('foreign', 'Cannot perform I/O on behalf of a different request'),
  )

async function stage(sql: string, status: 'I' | 'T') {
  const wire = memoryWire({ queryTimeoutMs: LIMIT })
  const driver = await wire.driver()
  driver.write(client.query(sql))
  const peer = await wire.login()
  await peer.expect('Q')
  peer.send(server.commandComplete(sql), server.ready(status))
  await driver.until('Z')
  return { wire, driver, peer }
}

describe('Session that another request writes to', () => {
  it('Session refuses the flight and goes on with the next', async () => {
    const { wire, driver, peer } = await stage('select 1', 'I')
    peer.onWrite = foreign
    driver.write(client.query('of another request'))
    expect(await driver.until('Z')).toEqual(['error ERR_SCOPE_FOREIGN', 'ZI'])
    expect(driver.errors[0]?.retryable).toBe(false)
    expect(peer.ended).toBeUndefined()
    peer.onWrite = undefined
    driver.write(client.query('of its own'))
    await peer.expect('Q')
    peer.send(server.result('1'))
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
    expect(wire.events.filter((event) => event.startsWith('closed'))).toEqual([])
  })

  it('Session that has refused a flight is at rest, so that its request can close it', async () => {
    const { wire, driver, peer } = await stage('select 1', 'I')
    const before = wire.events.length
    peer.onWrite = foreign
    driver.write(client.query('of another request'))
    await driver.until('ZI')
    await rest()
    expect(wire.upstream.busy).toBe(false)
    expect(wire.events.slice(before)).toContain('idle')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('Session that has refused a flight of a transaction still ends the transaction in time', async () => {
    const { driver, peer } = await stage('begin at once', 'T')
    peer.onWrite = foreign
    driver.write(client.query('of another request'))
    await driver.until('error ERR_SCOPE_FOREIGN')
    peer.onWrite = undefined
    await vi.advanceTimersByTimeAsync(LIMIT)
    await rest()
    expect(peer.unread).toBe('Q')
    expect((await peer.next()).payload.toString()).toBe('rollback\0')
  })

  it('Session drops what waits behind a refused flight, because its driver takes it for failed', async () => {
    const { driver, peer } = await stage('select 1', 'I')
    peer.onWrite = foreign
    driver.write(client.query('refused'), client.query('behind it'))
    expect(await driver.until('Z')).toEqual(['error ERR_SCOPE_FOREIGN', 'ZI'])
    peer.onWrite = undefined
    await rest()
    expect(peer.unread).toBe('')
    driver.write(client.query('next'))
    expect((await peer.next()).payload.toString()).toBe('next\0')
    peer.send(server.result('1'))
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
  })

  it('Session lets the flights of other drivers go on behind a refused one', async () => {
    const { wire, driver, peer } = await stage('select 1', 'I')
    const other = await wire.driver()
    peer.onWrite = () => {
      peer.onWrite = undefined
      return foreign()
    }
    driver.write(client.query('refused'))
    other.write(client.query('of another driver'))
    await driver.until('error ERR_SCOPE_FOREIGN')
    expect((await peer.next()).payload.toString()).toBe('of another driver\0')
    peer.send(server.result('1'))
    expect(await other.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
  })
})
