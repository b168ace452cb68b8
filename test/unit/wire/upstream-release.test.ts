import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MemoryBackend } from '../../support/memory-backend.ts'
import { type MemoryWire, memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

const LIMIT = 500
const QUERY_LIMIT = 3_000

/** Serves the next connection. */
async function serve(wire: MemoryWire): Promise<{ peer: MemoryPeer; backend: MemoryBackend }> {
  const peer = await wire.server.accept()
  const backend = new MemoryBackend(peer)
  void backend.serve()
  return { peer, backend }
}

/** A driver that has had one answer. */
async function stage(...messages: Buffer[]) {
  const wire = memoryWire({ queryTimeoutMs: QUERY_LIMIT })
  const driver = await wire.driver()
  driver.write(...messages)
  const served = await serve(wire)
  await driver.until('Z')
  return { wire, driver, ...served }
}

describe('Upstream.release', () => {
  it('Upstream.release closes an idle connection, and the next flight opens another', async () => {
    const { wire, driver, peer, backend } = await stage(client.query('rows 1'))
    await wire.upstream.release()
    expect(backend.goodbye).toBe('I')
    expect(peer.ended).toBe('closed')
    expect(wire.upstream.connected).toBe(false)
    driver.write(client.query('rows 2'))
    const second = await serve(wire)
    expect(await driver.until('Z')).toEqual(['T', 'D', 'D', 'C', 'ZI'])
    expect(second.peer).not.toBe(peer)
    expect(wire.meter.connects).toBe(2)
    expect(wire.events).toEqual([
      ...['opening', 'opened', 'answered 1', 'idle', 'closed'],
      ...['opening', 'opened', 'answered 1', 'idle'],
    ])
  })

  it('Upstream.release lets a flight that comes meanwhile wait for the end, not for ever', async () => {
    const { wire, driver, peer } = await stage(client.query('rows 1'))
    peer.stallsClose = true
    const released = wire.upstream.release()
    driver.write(client.query('rows 1'))
    await rest()
    expect(wire.server.peers).toHaveLength(1)
    expect(wire.upstream.release()).toBe(released)
    await vi.advanceTimersByTimeAsync(LIMIT)
    await serve(wire)
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
  })

  it('Upstream.release lets a connection be that is in use', async () => {
    const { wire, driver, peer } = await stage(client.query('rows 1'))
    driver.write(client.query('rows 1'))
    await wire.upstream.release()
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
    expect(peer.ended).toBeUndefined()
  })

  it('Upstream.release without a connection is done at once', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    await wire.upstream.release()
    expect(wire.events).toEqual([])
  })

  it('Upstream.release lets a transaction be whose driver has more to say', async () => {
    const { wire, driver, peer, backend } = await stage(client.beginAtOnce)
    driver.write(client.query('insert 1'))
    await driver.until('ZT')
    await wire.upstream.release()
    driver.write(client.query('insert 2'), client.query('commit'))
    await rest()
    expect(wire.server.peers).toHaveLength(1)
    expect(driver.unread).toEqual(['C', 'ZT', 'C', 'ZI'])
    expect(peer.ended).toBeUndefined()
    expect(backend.committed).toEqual(['insert 1', 'insert 2'])
  })
})

describe('Upstream.leave', () => {
  it('Upstream closes the connection when its last driver leaves', async () => {
    const { driver, peer, backend } = await stage(client.query('rows 1'))
    driver.front.end()
    await rest()
    expect(backend.goodbye).toBe('I')
    expect(peer.ended).toBe('closed')
  })

  it('Upstream rolls back the transaction of the last driver before it closes', async () => {
    const { driver, peer, backend } = await stage(client.beginAtOnce)
    driver.front.end()
    await rest()
    expect(backend.statements).toEqual(['begin at once', 'rollback'])
    expect(backend.goodbye).toBe('I')
    expect(peer.ended).toBe('closed')
  })

  it('Upstream closes the connection when its last driver has left and its flight is answered', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.login()
    await peer.expect('Q')
    driver.front.end()
    peer.send(server.result('1'))
    await rest()
    expect(peer.unread).toBe('X')
    expect(peer.ended).toBe('closed')
  })

  it('Upstream ends the cursor of a driver that has left', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    const driver = await wire.driver()
    const someRows = client.message('E', Buffer.from([0, 0, 0, 0, 2]))
    driver.write(client.parse('rows 9'), client.bind(), someRows, client.flush)
    const { peer, backend } = await serve(wire)
    await driver.until('s')
    driver.front.end()
    await rest()
    expect(backend.goodbye).toBe('I')
    expect(peer.ended).toBe('closed')
  })

  it('Upstream keeps the connection behind a driver that stays, and rolls back what it has left open', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    const driver = await wire.driver({ stays: true })
    driver.write(client.beginAtOnce)
    const { peer, backend } = await serve(wire)
    await driver.until('Z')
    driver.front.end()
    await rest()
    expect(backend.statements).toEqual(['begin at once', 'rollback'])
    expect(peer.ended).toBeUndefined()
    const next = await wire.driver({ stays: true })
    next.write(client.query('rows 1'))
    expect(await next.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
    expect(wire.meter.connects).toBe(1)
  })

  it('Upstream rolls back the transaction of a driver that leaves while others go on', async () => {
    const { wire, driver, backend } = await stage(client.beginAtOnce)
    const other = await wire.driver()
    driver.write(client.query('insert 1'))
    await driver.until('ZT')
    other.write(client.query('insert 2'))
    driver.front.end()
    await rest()
    expect(other.unread).toEqual(['C', 'ZI'])
    expect(backend.statements).toEqual(['begin at once', 'insert 1', 'rollback', 'insert 2'])
    expect(backend.committed).toEqual(['insert 2'])
  })
})

describe('Upstream with a transaction that others wait for', () => {
  it('Upstream ends it in time although something waits behind it', async () => {
    const wire = memoryWire({ queryTimeoutMs: QUERY_LIMIT })
    const [owner, other] = [await wire.driver(), await wire.driver()]
    owner.write(client.beginAtOnce)
    other.write(client.query('rows 1'))
    const { backend } = await serve(wire)
    await owner.until('ZT')
    await rest()
    expect(other.unread).toEqual([])
    await vi.advanceTimersByTimeAsync(QUERY_LIMIT)
    expect(other.unread).toEqual(['error ERR_TRANSACTION_IDLE', 'ZI'])
    expect(backend.statements).toEqual(['begin at once', 'rollback'])
  })

  it('Upstream ends it in time although a statement of it was answered here', async () => {
    const { driver, backend } = await stage(client.beginAtOnce)
    await vi.advanceTimersByTimeAsync(QUERY_LIMIT - 1)
    driver.write(client.query(''))
    expect(await driver.until('Z')).toEqual(['I', 'ZT'])
    await vi.advanceTimersByTimeAsync(QUERY_LIMIT)
    await rest()
    expect(driver.unread).toEqual(['ZI'])
    expect(backend.statements).toEqual(['begin at once', 'rollback'])
  })
})

describe('Upstream.open', () => {
  it('Upstream.open connects before the first flight, which then leaves at once', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    wire.upstream.open()
    wire.upstream.open()
    expect(wire.upstream.connected).toBe(true)
    const peer = await wire.login()
    await rest()
    expect(wire.events).toEqual(['opening', 'opened', 'idle'])
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    await peer.expect('Q')
    expect(wire.server.peers).toHaveLength(1)
    expect(wire.upstream.busy).toBe(true)
  })

  it('Upstream.open that fails is told at the first flight, without another attempt', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    wire.upstream.open()
    const peer = await wire.server.accept()
    await peer.expect('Startup')
    peer.send(server.errorMessage('FATAL', '28P01', 'password authentication failed'))
    await rest()
    expect(wire.events).toEqual(['opening', 'closed ERR_AUTH_PASSWORD'])
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    expect(await driver.until('Z')).toEqual(['error ERR_AUTH_PASSWORD', 'ZI'])
    wire.upstream.open()
    expect(wire.server.peers).toHaveLength(1)
  })

  it('Upstream.open passes the first flight on that was written while it connected', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    wire.upstream.open()
    const driver = await wire.driver()
    driver.write(client.query('rows 1'))
    await serve(wire)
    await driver.until('ZI')
    expect(wire.server.peers).toHaveLength(1)
  })
})
