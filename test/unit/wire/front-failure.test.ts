import { describe, expect, it } from 'vitest'
import { TransportError } from '../../../src/wire/transport.ts'
import { type MemoryDriver, type MemoryWire, memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

const SHUTDOWN = server.errorMessage(
  'FATAL',
  '57P01',
  'terminating connection due to administrator',
)

interface Stage {
  wire: MemoryWire
  driver: MemoryDriver
  peer: MemoryPeer
}

/** A driver that has had one answer. */
async function stage(): Promise<Stage> {
  const wire = memoryWire()
  const driver = await wire.driver()
  driver.write(client.query('select 1'))
  const peer = await wire.login()
  await peer.expect('Q')
  peer.send(server.result('1'))
  await driver.until('ZI')
  return { wire, driver, peer }
}

describe('Front after a failure', () => {
  it('Front says nothing of a connection that is lost while idle, until it is used', async () => {
    const { wire, driver, peer } = await stage()
    peer.finish()
    await rest()
    expect(driver.unread).toEqual([])
    expect(wire.events.at(-1)).toBe('closed ERR_CONNECTION_LOST')
    driver.write(client.query('select 2'))
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
    // The one before has run, and whoever repeats the request repeats it too.
    expect(driver.errors[0]).toMatchObject({ retryable: false })
    expect(driver.errors[0]?.message).toContain('The statement did not run.')
    expect(wire.server.peers).toHaveLength(1)
  })

  it.each([
    ['FATAL while idle', SHUTDOWN],
    [
      'a token of Supavisor while idle',
      server.errorMessage('ERROR', 'XX000', '(EDBHANDLEREXITED) x'),
    ],
  ])('Front tells %s at the next flight', async (_what, message) => {
    const { driver, peer } = await stage()
    peer.send(message)
    await rest()
    expect(peer.ended).toBe('destroyed')
    driver.write(client.extended('select 2'), client.sync)
    expect(await driver.until('Z')).toEqual(['error ERR_SERVER_UNAVAILABLE', 'ZI'])
    expect(driver.errors[0]?.retryable).toBe(false)
  })

  it('Front fails a flight in the middle of its rows once, and does not call it retryable', async () => {
    const { driver, peer } = await stage()
    driver.write(client.query('select 2'))
    await peer.expect('Q')
    peer.send(server.rowDescription, server.dataRow('half'))
    await driver.until('D')
    peer.finish(new TransportError('lost', 'ECONNRESET'))
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
    await rest()
    expect(driver.unread).toEqual([])
    expect(driver.errors[0]?.retryable).toBe(false)
  })

  it('Front fails what is under way and everything that waits with one error', async () => {
    const { driver, peer } = await stage()
    driver.write(client.query('a'), client.query('b'), client.query('c'))
    await peer.expect('Q')
    peer.send(SHUTDOWN)
    expect(await driver.until('Z')).toEqual(['error ERR_SERVER_UNAVAILABLE', 'ZI'])
    await rest()
    expect(driver.unread).toEqual([])
    expect(peer.unread).toBe('')
    expect(driver.errors[0]?.retryable).toBe(false)
  })

  it('Front gives every later flight an error of its own, with the first as its cause', async () => {
    const { wire, driver, peer } = await stage()
    driver.write(client.query('a'))
    await peer.expect('Q')
    peer.finish()
    await driver.until('ZI')
    for (const flight of [client.query('b'), Buffer.concat([client.extended('c'), client.sync])]) {
      driver.write(flight)
      expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
    }
    const [first, second, third] = driver.errors
    expect(new Set(driver.errors).size).toBe(3)
    expect(second?.cause).toBe(first)
    expect(third?.cause).toBe(first)
    expect(third?.message).toContain('has already failed')
    expect(wire.server.peers).toHaveLength(1)
  })

  it('Front answers a flight that was half written when the connection failed, at its Sync', async () => {
    const { driver, peer } = await stage()
    driver.write(client.parse('select 2'), client.bind())
    peer.finish()
    await rest()
    expect(driver.unread).toEqual([])
    driver.write(client.execute, client.sync)
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
  })

  it('Front is told of a failure outside of its own write', async () => {
    const { driver, peer } = await stage()
    peer.finish()
    await rest()
    driver.write(client.query('a'), client.query('b'))
    await driver.until('ZI')
    await driver.until('ZI')
    expect(driver.calledInsideOfWrite).toBe(false)
  })

  it('Front that has left hears nothing more', async () => {
    const { driver, peer } = await stage()
    driver.write(client.query('a'))
    await peer.expect('Q')
    driver.write(client.terminate)
    await driver.until('closed')
    peer.finish()
    await rest()
    expect(driver.unread).toEqual([])
  })
})

describe('Front when the login fails', () => {
  it.each([
    ['refused', 'ERR_CONNECT_REFUSED'],
    ['name', 'ERR_CONNECT_NAME'],
    ['unreachable', 'ERR_CONNECT_UNREACHABLE'],
  ] as const)('Front fails its first flight when the transport says %s', async (reason, code) => {
    const wire = memoryWire()
    const driver = await wire.driver()
    wire.server.refusal = new TransportError(reason, 'x')
    driver.write(client.query('a'), client.query('b'))
    expect(await driver.until('Z')).toEqual([`error ${code}`, 'ZI'])
    expect(driver.errors[0]?.retryable).toBe(true)
    expect(wire.events).toEqual(['opening', `closed ${code}`])
  })

  it('Front fails its first flight when the server refuses the password', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('a'))
    const peer = await wire.server.accept()
    await peer.expect('Startup')
    peer.send(server.errorMessage('FATAL', '28P01', 'password authentication failed'))
    expect(await driver.until('Z')).toEqual(['error ERR_AUTH_PASSWORD', 'ZI'])
    await rest()
    expect(peer.ended).toBe('destroyed')
  })

  it.each([
    ['closes', undefined],
    ['resets', new TransportError('lost', 'ECONNRESET')],
  ])('Front calls it retryable when the server %s before its verdict', async (_what, error) => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('a'))
    const peer = await wire.server.accept()
    await peer.expect('Startup')
    peer.finish(error)
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
    expect(driver.errors[0]?.retryable).toBe(true)
  })

  it('Front calls a FATAL between verdict and greeting retryable: the flight has not been run', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('a'))
    const peer = await wire.login({ greet: false })
    await peer.expect('Q')
    peer.send(server.errorMessage('FATAL', '53300', 'sorry, too many clients already'))
    expect(await driver.until('Z')).toEqual(['error ERR_POOLER_FULL', 'ZI'])
    expect(driver.errors[0]?.retryable).toBe(true)
  })

  it('Front does not call a mere end between verdict and greeting retryable', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('a'))
    const peer = await wire.login({ greet: false })
    await peer.expect('Q')
    peer.finish()
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
    expect(driver.errors[0]?.retryable).toBe(false)
  })
})
