import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { requestCancel } from '../../../src/wire/cancel.ts'
import type { Route } from '../../../src/wire/dial.ts'
import { TransportError } from '../../../src/wire/transport.ts'
import { MemoryDriver, memoryWire } from '../../support/memory-driver.ts'
import { MemoryServer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

const KEY = { processId: 4711, secret: 0xfffffffe }

function routeTo(transport: MemoryServer, tls?: Route['tls']): Route {
  return { transport, address: { host: 'db.test', port: 6543 }, tls }
}

/** Asks for a cancellation; the result tells when that is over. */
function ask(route: Route): { done: boolean } {
  const asking = { done: false }
  void requestCancel(route, KEY).then(() => {
    asking.done = true
  })
  return asking
}

describe('requestCancel', () => {
  it('requestCancel writes sixteen bytes at once and waits until the server closes', async () => {
    const transport = new MemoryServer()
    const asking = ask(routeTo(transport))
    const peer = await transport.accept()
    await peer.expect('CancelRequest')
    expect(peer.writes).toEqual([client.cancelRequest(4711, 0xfffffffe)])
    await rest()
    expect(asking.done).toBe(false)
    peer.finish()
    await rest()
    expect(asking.done).toBe(true)
    expect(peer.ended).toBe('destroyed')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('requestCancel protects the key by TLS where the session is', async () => {
    const transport = new MemoryServer()
    ask(routeTo(transport, { ca: 'PEM' }))
    const peer = await transport.accept()
    await peer.expect('SSLRequest')
    peer.send(Buffer.from('S'))
    await peer.expect('CancelRequest')
    expect(peer.tls).toEqual({ ca: 'PEM' })
  })

  it('requestCancel never rejects, whatever the server does', async () => {
    const refusing = new MemoryServer()
    refusing.refusal = new TransportError('refused', 'x')
    const withoutTls = new MemoryServer()
    const asked = [ask(routeTo(refusing)), ask(routeTo(withoutTls, {}))]
    const peer = await withoutTls.accept()
    await peer.expect('SSLRequest')
    peer.send(Buffer.from('N'))
    await rest()
    expect(asked).toEqual([{ done: true }, { done: true }])
    expect(peer.unread).toBe('')
  })

  it('requestCancel gives up a server that does not close', async () => {
    const transport = new MemoryServer()
    const asking = ask(routeTo(transport))
    const peer = await transport.accept()
    await vi.advanceTimersByTimeAsync(14_999)
    expect(asking.done).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(asking.done).toBe(true)
    expect(peer.ended).toBe('destroyed')
  })
})

describe('Front of a driver that cancels', () => {
  it('Front passes a cancel on, over another connection, with the server’s own key', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('slow'))
    const peer = await wire.login()
    await peer.expect('Q')
    await rest()
    const canceller = new MemoryDriver(wire.upstream)
    canceller.write(client.cancelRequest(0, 0))
    const second = await wire.server.accept()
    await second.expect('CancelRequest')
    expect(second.writes).toEqual([client.cancelRequest(4711, 815)])
    second.finish()
    await canceller.until('closed')
    expect(canceller.heard).toEqual(['closed'])
    peer.send(server.errorMessage('ERROR', '57014', 'canceling statement'), server.ready())
    expect(await driver.until('Z')).toEqual(['E', 'ZI'])
    expect(wire.meter.connects).toBe(1)
  })

  it('Front stops no statement that is not there, because the next one might be hit', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.result('1'))
    await driver.until('ZI')
    const canceller = new MemoryDriver(wire.upstream)
    canceller.write(client.cancelRequest(0, 0))
    await canceller.until('closed')
    expect(wire.server.peers).toHaveLength(1)
  })

  it('Front that cancels does not count as a driver that leaves', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.result('1'))
    await driver.until('ZI')
    const canceller = new MemoryDriver(wire.upstream)
    canceller.write(client.cancelRequest(0, 0))
    canceller.front.end()
    await rest()
    expect(peer.ended).toBeUndefined()
  })
})
