import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TransportError } from '../../../src/wire/transport.ts'
import { memoryWire } from '../../support/memory-driver.ts'
import { rest } from '../../support/memory-server.ts'
import { words } from '../../support/scram-messages.ts'
import { ScramServer, scramSecret } from '../../support/scram-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

describe('Session while it logs in', () => {
  it('Session sends its first flight after the verdict and before the greeting', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.login({ greet: false })
    await peer.expect('Q')
    peer.send(server.parameterStatus('TimeZone', 'UTC'), server.greeting)
    peer.send(server.result('1'))
    expect(await driver.until('Z')).toEqual(['S', 'T', 'D', 'C', 'ZI'])
  })

  it('Session takes greeting and answer from one delivery', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.login({ greet: false })
    await peer.expect('Q')
    peer.send(server.greeting, server.result('1'))
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
    expect(driver.bytes).toEqual(server.result('1'))
  })

  it('Session takes verdict and greeting from one delivery', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.server.accept()
    await peer.expect('Startup')
    peer.send(server.authenticationOk, server.greeting)
    await peer.expect('Q')
    peer.send(server.result('1'))
    await driver.until('ZI')
  })

  it('Session proves the password by SCRAM, one message to a write, and counts the turns', async () => {
    const password = 'correct horse battery staple'
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.server.accept()
    const exchange = new ScramServer(scramSecret(password))
    await peer.expect('Startup')
    peer.send(server.authenticationSasl('SCRAM-SHA-256'))
    const [initial] = await peer.expect('p')
    const first = words(exchange.first(initial?.payload ?? Buffer.alloc(0)))
    peer.send(server.authentication(11, Buffer.from(first)))
    const [response] = await peer.expect('p')
    const final = words(exchange.final(response?.payload ?? Buffer.alloc(0)))
    peer.send(server.authentication(12, Buffer.from(final)))
    await peer.expect('Q')
    expect(peer.writes).toHaveLength(4)
    peer.send(server.authenticationOk, server.greeting, server.result('1'))
    await driver.until('ZI')
    // TCP, start-up, first, final, query.
    expect(wire.meter).toMatchObject({ roundTrips: 5, connects: 1, queries: 1 })
    expect(wire.meter.bytesSent).toBe(Buffer.concat(peer.writes).length)
  })

  it('Session asks for TLS in a write of its own and logs in through it', async () => {
    const wire = memoryWire({ tls: { serverName: 'db.example' } })
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.server.accept()
    expect(peer.options.willStartTls).toBe(true)
    await peer.expect('SSLRequest')
    expect(peer.unread).toBe('')
    expect(peer.writes).toEqual([client.sslRequest])
    peer.send(Buffer.from('S'))
    await peer.expect('Startup')
    expect(peer.tls).toEqual({ serverName: 'db.example' })
    peer.send(server.authenticationOk, server.greeting)
    await peer.expect('Q')
    peer.send(server.result('1'))
    await driver.until('ZI')
    // TCP, the question for TLS, TLS, start-up, query.
    expect(wire.meter.roundTrips).toBe(5)
  })

  it('Session sends nothing in clear to a server without TLS', async () => {
    const wire = memoryWire({ tls: {} })
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.server.accept()
    await peer.expect('SSLRequest')
    peer.send(Buffer.from('N'))
    expect(await driver.until('Z')).toEqual(['error ERR_TLS_REFUSED', 'ZI'])
    expect(peer.writes).toHaveLength(1)
    expect(peer.ended).toBe('destroyed')
  })

  it('Session passes the transport’s verdict on a certificate on', async () => {
    const wire = memoryWire({ tls: {} })
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.server.accept()
    const untrusted = new TransportError('tls-untrusted', 'self-signed', { hint: 'Pass ca.' })
    peer.connection.startTls = () => Promise.reject(untrusted)
    await peer.expect('SSLRequest')
    peer.send(Buffer.from('S'))
    await driver.until('error ERR_TLS_UNTRUSTED')
    expect(driver.errors[0]?.hint).toBe('Pass ca.')
    expect(peer.ended).toBe('destroyed')
  })

  it('Session measures the time until a first flight could leave', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.server.accept()
    await peer.expect('Startup')
    await vi.advanceTimersByTimeAsync(70)
    peer.send(server.authenticationOk)
    await peer.expect('Q')
    await vi.advanceTimersByTimeAsync(500)
    const said = [server.greeting, server.result('1')]
    peer.send(...said)
    await driver.until('ZI')
    expect(wire.meter.connectMs).toBe(70)
    expect(wire.meter.bytesReceived).toBe(Buffer.concat([server.authenticationOk, ...said]).length)
  })

  it('Session takes HTTP for what it is', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.server.accept()
    await peer.expect('Startup')
    peer.send(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await driver.until('error ERR_PROTOCOL')
    expect(peer.ended).toBe('destroyed')
  })

  it('Session accepts messages longer than those of a login once it is logged in', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.result('x'.repeat(100_000)))
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
  })
})

describe('Session that is kept waiting for its login', () => {
  const LIMIT = 1_000

  it.each([
    ['the TCP connection', 'connect'],
    ['the login', 'startup'],
    ['the end of the login', 'greeting'],
  ] as const)('Session gives up in time and says that it waited for %s', async (phase, stop) => {
    const wire = memoryWire({ connectTimeoutMs: LIMIT })
    wire.server.silent = stop === 'connect'
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    if (stop === 'startup') await (await wire.server.accept()).expect('Startup')
    if (stop === 'greeting') await (await wire.login({ greet: false })).expect('Q')
    await rest()
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    expect(driver.unread).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECT_TIMEOUT', 'ZI'])
    expect(driver.errors[0]?.message).toContain(`the wait was for ${phase}.`)
    expect(driver.errors[0]?.retryable).toBe(stop !== 'greeting')
    expect(wire.server.peers.every((peer) => peer.ended === 'destroyed')).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([
    ['the answer to the request for TLS', ''],
    ['the TLS handshake', 'S'],
  ])('Session gives up in time and says that it waited for %s', async (phase, answer) => {
    const wire = memoryWire({ tls: {} })
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.server.accept()
    peer.connection.startTls = () => new Promise(() => undefined)
    await peer.expect('SSLRequest')
    peer.send(Buffer.from(answer))
    await rest()
    await vi.advanceTimersByTimeAsync(LIMIT)
    await driver.until('error ERR_CONNECT_TIMEOUT')
    expect(driver.errors[0]?.message).toContain(`the wait was for ${phase}.`)
    expect(driver.errors[0]?.retryable).toBe(true)
    expect(peer.ended).toBe('destroyed')
  })

  it('Session has one limit for the whole login, not one for each of its halves', async () => {
    const wire = memoryWire({ connectTimeoutMs: LIMIT })
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.server.accept()
    await peer.expect('Startup')
    await vi.advanceTimersByTimeAsync(700)
    peer.send(server.authenticationOk)
    await peer.expect('Q')
    await vi.advanceTimersByTimeAsync(299)
    expect(driver.unread).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    await driver.until('error ERR_CONNECT_TIMEOUT')
  })

  it('Session closes a connection that is made after it has given up', async () => {
    const wire = memoryWire({ connectTimeoutMs: LIMIT })
    const made = Promise.withResolvers<void>()
    const connect = wire.server.connect.bind(wire.server)
    vi.spyOn(wire.server, 'connect').mockImplementation(async (address, options) => {
      await made.promise
      return connect(address, options)
    })
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    await vi.advanceTimersByTimeAsync(LIMIT)
    await driver.until('error ERR_CONNECT_TIMEOUT')
    made.resolve()
    await rest()
    expect(wire.server.peers[0]?.ended).toBe('destroyed')
    expect(wire.server.peers[0]?.writes).toEqual([])
  })

  it('Session still has its limit when the driver pauses and resumes before the greeting', async () => {
    const wire = memoryWire({ connectTimeoutMs: LIMIT })
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    await (await wire.login({ greet: false })).expect('Q')
    driver.front.pause()
    driver.front.resume()
    await vi.advanceTimersByTimeAsync(10 * LIMIT)
    await rest()
    expect(driver.unread).toEqual(['error ERR_CONNECT_TIMEOUT', 'ZI'])
  })
})
