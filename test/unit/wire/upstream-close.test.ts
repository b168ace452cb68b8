import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { NullpoolError } from '../../../src/errors.ts'
import { hyperdrive, type Profile } from '../../../src/wire/profile.ts'
import { TransportError } from '../../../src/wire/transport.ts'
import { MemoryBackend } from '../../support/memory-backend.ts'
import { type MemoryWire, memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

const LIMIT = 500
const over = (): NullpoolError => new NullpoolError('ERR_SCOPE_CLOSED', 'The request is over.')

/** A driver that has had one answer. */
async function stage(profile?: Profile) {
  const wire = memoryWire({ closeTimeoutMs: LIMIT, ...(profile ? { profile } : {}) })
  const driver = await wire.driver()
  driver.write(client.query('select 1'))
  const peer = await wire.login()
  await peer.expect('Q')
  peer.send(server.result('1'))
  await driver.until('ZI')
  return { wire, driver, peer }
}

/** Closes; the result tells when that has been done. */
function close(wire: MemoryWire): { done: boolean; promise: Promise<void> } {
  const closing = { done: false, promise: wire.upstream.close(over) }
  void closing.promise.then(() => {
    closing.done = true
  })
  return closing
}

/** That the client has said goodbye and left, in time and by itself. */
async function expectGoodbye(peer: MemoryPeer, closing: { done: boolean }): Promise<void> {
  await rest()
  expect(peer.unread).toBe('X')
  expect(peer.ended).toBe('closed')
  expect(closing.done).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
}

describe('Upstream.close', () => {
  it('Upstream.close says goodbye on an idle connection and closes it', async () => {
    const { wire, peer } = await stage()
    const closing = close(wire)
    await expectGoodbye(peer, closing)
    expect(wire.events.at(-1)).toBe('closed')
    expect(wire.upstream.connected).toBe(false)
  })

  it('Upstream.close does not wait for Hyperdrive to hang up, nor for its own deadline', async () => {
    const { wire, peer } = await stage(hyperdrive)
    peer.stallsClose = true
    const closing = close(wire)
    await rest()
    expect(peer.unread).toBe('X')
    expect(peer.ended).toBe('destroyed')
    expect(closing.done).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('Upstream.close is idempotent: one goodbye, one event', async () => {
    const { wire, peer } = await stage()
    await Promise.all([close(wire).promise, close(wire).promise])
    await close(wire).promise
    expect(peer.unread).toBe('X')
    expect(wire.events.filter((event) => event.startsWith('closed'))).toEqual(['closed'])
  })

  it('Upstream.close without a connection is done at once, and nothing is opened later', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    const driver = await wire.driver()
    await close(wire).promise
    driver.write(client.query('select 1'))
    expect(await driver.until('Z')).toEqual(['error ERR_SCOPE_CLOSED', 'ZI'])
    wire.upstream.open()
    await rest()
    expect(wire.server.peers).toEqual([])
    expect(wire.events).toEqual([])
  })

  it('Upstream.close fails the statement under way at once and waits for its end', async () => {
    const { wire, driver, peer } = await stage()
    driver.write(client.query('slow'))
    await peer.expect('Q')
    const closing = close(wire)
    expect(await driver.until('Z')).toEqual(['error ERR_SCOPE_CLOSED', 'ZI'])
    peer.send(server.rowDescription, server.dataRow('late'))
    await rest()
    expect(peer.unread).toBe('')
    peer.send(server.commandComplete('SELECT 1'), server.ready())
    await expectGoodbye(peer, closing)
    expect(driver.unread).toEqual([])
  })

  it('Upstream.close never sends what has waited', async () => {
    const { wire, driver, peer } = await stage()
    driver.write(client.query('first'), client.query('second'))
    await peer.expect('Q')
    const closing = close(wire)
    peer.send(server.result())
    await expectGoodbye(peer, closing)
    expect(driver.unread).toEqual(['error ERR_SCOPE_CLOSED', 'ZI'])
  })

  it('Upstream.close drops a connection whose server does not answer in time', async () => {
    const { wire, driver, peer } = await stage()
    driver.write(client.query('slow'))
    await peer.expect('Q')
    const closing = close(wire)
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    expect(closing.done).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(closing.done).toBe(true)
    expect(peer.ended).toBe('destroyed')
    expect(peer.unread).toBe('')
    expect(wire.events.at(-1)).toBe('closed')
  })

  it('Upstream.close drops a connection whose close hangs', async () => {
    const { wire, peer } = await stage()
    peer.stallsClose = true
    const closing = close(wire)
    await vi.advanceTimersByTimeAsync(LIMIT)
    expect(closing.done).toBe(true)
    expect(peer.ended).toBe('destroyed')
    expect(peer.unread).toBe('X')
    expect(wire.server.peers, 'nothing to cancel').toHaveLength(1)
  })

  it('Upstream.close cancels a statement that does not end in half of the time', async () => {
    const { wire, driver, peer } = await stage()
    driver.write(client.query('slow'))
    await peer.expect('Q')
    const closing = close(wire)
    await vi.advanceTimersByTimeAsync(LIMIT / 2 - 1)
    expect(wire.server.peers).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    const [, canceller] = wire.server.peers
    expect(canceller?.writes).toEqual([client.cancelRequest(4711, 815)])
    canceller?.finish()
    peer.send(server.errorMessage('ERROR', '57014', 'canceling statement'), server.ready())
    await expectGoodbye(peer, closing)
  })

  it('Upstream.close is done as soon as the server has gone, and says no more of it', async () => {
    const { wire, driver, peer } = await stage()
    driver.write(client.query('slow'))
    await peer.expect('Q')
    const closing = close(wire)
    peer.finish(new TransportError('lost', 'ECONNRESET'))
    await rest()
    expect(closing.done).toBe(true)
    expect(peer.unread).toBe('')
    expect(wire.events.filter((event) => event.startsWith('closed'))).toEqual(['closed'])
  })

  it('Upstream.close is done where the goodbye cannot be written', async () => {
    const { wire, peer } = await stage()
    peer.onWrite = () => Promise.reject(new TransportError('lost', 'EPIPE'))
    await close(wire).promise
    expect(peer.ended).toBe('destroyed')
  })

  it('Upstream.close after a failure is done at once and reports nothing twice', async () => {
    const { wire, peer } = await stage()
    peer.finish()
    await rest()
    await close(wire).promise
    expect(wire.events.filter((event) => event.startsWith('closed'))).toEqual([
      'closed ERR_CONNECTION_LOST',
    ])
  })
})

describe('Upstream.close within a transaction', () => {
  it.each([
    ['T', 'insert 1', ['begin at once', 'insert 1', 'rollback']],
    ['E', 'fail', ['begin at once', 'fail', 'rollback']],
  ] as const)('Upstream.close rolls back what has status %s', async (status, sql, statements) => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    const driver = await wire.driver()
    driver.write(client.beginAtOnce, client.query(sql))
    const peer = await wire.server.accept()
    const backend = new MemoryBackend(peer)
    void backend.serve()
    await driver.until('ZT')
    await driver.until(`Z${status}`)
    await close(wire).promise
    await rest()
    expect(backend.statements).toEqual(statements)
    expect(backend.goodbye).toBe('I')
    expect(backend.committed).toEqual([])
    await vi.advanceTimersByTimeAsync(LIMIT)
    expect(driver.unread).toEqual(['ZI'])
  })

  it('Upstream.close rolls back a transaction that the statement under way leaves open', async () => {
    const { wire, driver, peer } = await stage()
    driver.write(client.beginAtOnce)
    await peer.expect('Q')
    const closing = close(wire)
    peer.send(server.commandComplete('BEGIN'), server.ready('T'))
    expect((await peer.next()).payload.toString()).toBe('rollback\0')
    await rest()
    expect(closing.done).toBe(false)
    peer.send(server.commandComplete('ROLLBACK'), server.ready())
    await expectGoodbye(peer, closing)
    expect(driver.unread).toEqual(['error ERR_SCOPE_CLOSED', 'ZI'])
  })
})

describe('Upstream.close while the login goes on', () => {
  it('Upstream.close gives up a connection that is being made', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    wire.server.silent = true
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const closing = close(wire)
    await rest()
    expect(closing.done).toBe(true)
    expect(driver.unread).toEqual(['error ERR_SCOPE_CLOSED', 'ZI'])
    expect(wire.upstream.connected).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('Upstream.close gives up a login, and reports no error, because it was on purpose', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.server.accept()
    await peer.expect('Startup')
    await close(wire).promise
    await rest()
    expect(peer.ended).toBe('destroyed')
    expect(peer.writes).toHaveLength(1)
    expect(wire.events).toEqual(['opening', 'closed'])
  })

  it('Upstream.close waits for the greeting before its goodbye', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    wire.upstream.open()
    const peer = await wire.login({ greet: false })
    await rest()
    const closing = close(wire)
    await rest()
    expect(peer.unread).toBe('')
    peer.send(server.greeting)
    await expectGoodbye(peer, closing)
  })

  it('Upstream.close waits for greeting and answer of a first flight before its goodbye', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.login({ greet: false })
    await peer.expect('Q')
    const closing = close(wire)
    peer.send(server.greeting)
    await rest()
    expect(peer.unread).toBe('')
    peer.send(server.result('1'))
    await expectGoodbye(peer, closing)
  })

  it('Upstream.close is bounded where the greeting never comes', async () => {
    const wire = memoryWire({ closeTimeoutMs: LIMIT })
    wire.upstream.open()
    const peer = await wire.login({ greet: false })
    await rest()
    const closing = close(wire)
    await vi.advanceTimersByTimeAsync(LIMIT)
    expect(closing.done).toBe(true)
    expect(peer.ended).toBeDefined()
  })
})
