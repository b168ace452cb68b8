import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { requestCancel } from '../../../src/wire/cancel.ts'
import type { Route } from '../../../src/wire/dial.ts'
import { universal } from '../../../src/wire/profile.ts'
import { TransportError } from '../../../src/wire/transport.ts'
import { MemoryDriver, memoryWire } from '../../support/memory-driver.ts'
import { MemoryServer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

const KEY = { processId: 4711, secret: 0xfffffffe }

function routeTo(transport: MemoryServer, tls?: Route['tls']): Route {
  return { transport, address: { host: 'db.test', port: 6543 }, tls, profile: universal }
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
    canceller.write(client.cancelRequest(1, 0))
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
    canceller.write(client.cancelRequest(1, 0))
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
    canceller.write(client.cancelRequest(1, 0))
    canceller.front.end()
    await rest()
    expect(peer.ended).toBeUndefined()
  })

  it('Front answers for what was not sent yet, and the server never hears of it', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('first'))
    driver.write(client.query('second'))
    await wire.server.accept()
    const canceller = new MemoryDriver(wire.upstream)
    canceller.write(client.cancelRequest(1, 0))
    await canceller.until('closed')
    expect(await driver.until('Z')).toEqual(['E', 'ZI'])
    expect(driver.bytes.toString()).toContain('57014')
    const [peer] = wire.server.peers
    await peer?.expect('Startup')
    peer?.send(server.authenticationOk, server.greeting)
    expect((await peer?.next())?.payload.toString()).toBe('second\0')
    peer?.send(server.result('2'))
    expect((await driver.until('Z')).at(-1)).toBe('ZI')
  })

  it('Front cancels a flight that has left once the server’s key is known', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('slow'))
    const peer = await wire.login({ greet: false })
    await peer.expect('Q')
    const canceller = new MemoryDriver(wire.upstream)
    canceller.write(client.cancelRequest(1, 0))
    await canceller.until('closed')
    expect(wire.server.peers).toHaveLength(1)
    peer.send(server.greeting)
    const second = await wire.server.accept()
    await second.expect('CancelRequest')
    expect(second.writes).toEqual([client.cancelRequest(4711, 815)])
  })

  it('Front cancels a flight that waits for the driver as soon as the server is at it', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.parse('slow'), client.describeStatement, client.flush)
    const peer = await wire.login()
    await peer.expect('P', 'D', 'S')
    peer.send(server.parseComplete, server.parameterDescription(1), server.noData, server.ready())
    await driver.until('n')
    const canceller = new MemoryDriver(wire.upstream)
    canceller.write(client.cancelRequest(1, 0))
    await canceller.until('closed')
    expect(wire.server.peers).toHaveLength(1)
    driver.write(client.bind(['1']), client.execute, client.sync)
    await (await wire.server.accept()).expect('CancelRequest')
  })

  it('Front lets the next flight go only when the cancel request has been dealt with', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('nearly done'))
    driver.write(client.query('next'))
    const peer = await wire.login()
    await peer.expect('Q')
    await rest()
    const canceller = new MemoryDriver(wire.upstream)
    canceller.write(client.cancelRequest(1, 0))
    const second = await wire.server.accept()
    await second.expect('CancelRequest')
    peer.send(server.result('1'))
    await driver.until('Z')
    await rest()
    expect(peer.unread).toBe('')
    second.finish()
    expect((await peer.next()).payload.toString()).toBe('next\0')
  })

  it('Front cancels its own driver’s statement and nobody else’s', async () => {
    const wire = memoryWire()
    const [first, second] = [await wire.driver(), await wire.driver()]
    first.write(client.query('slow'))
    second.write(client.query('waits'))
    const peer = await wire.login()
    await peer.expect('Q')
    const canceller = new MemoryDriver(wire.upstream)
    canceller.write(client.cancelRequest(2, 0))
    await canceller.until('closed')
    expect(wire.server.peers).toHaveLength(1)
    peer.send(server.result('1'))
    expect((await first.until('Z')).at(-1)).toBe('ZI')
    expect(await second.until('Z')).toEqual(['E', 'ZI'])
    expect(peer.unread).toBe('')
  })
})
