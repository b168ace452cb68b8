import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { NullpoolError } from '../../../src/errors.ts'
import { TransportError } from '../../../src/wire/transport.ts'
import { type MemoryDriver, type MemoryWire, memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

const QUERY_LIMIT = 3_000
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

/** A driver that is inside of a transaction. */
async function stageTransaction(): Promise<Stage> {
  const made = await stage()
  made.driver.write(client.query('begin'))
  await made.peer.expect('Q')
  made.peer.send(server.commandComplete('BEGIN'), server.ready('T'))
  await made.driver.until('ZT')
  return made
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
    expect(driver.errors[0]?.retryable).toBe(true)
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
    expect(driver.errors[0]?.retryable).toBe(true)
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

describe('Front within a transaction that is lost', () => {
  it('Front frees a driver in time that stays between two statements of a transaction', async () => {
    const { driver, peer } = await stageTransaction()
    peer.finish()
    await rest()
    await vi.advanceTimersByTimeAsync(QUERY_LIMIT)
    expect(driver.unread).toEqual(['ZI'])
    driver.write(client.query('insert'))
    await driver.until('ZI')
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
  })

  it('Front frees a driver in time that does not end a transaction of which a statement was lost', async () => {
    const { driver, peer } = await stageTransaction()
    driver.write(client.query('insert'))
    await peer.expect('Q')
    peer.finish()
    await driver.until('ZE')
    await vi.advanceTimersByTimeAsync(QUERY_LIMIT)
    await rest()
    expect(driver.unread).toEqual(['ZI'])
  })

  it.each(['commit', 'rollback'])(
    'Front takes a transaction for ended whose %s was under way, because no driver ends it twice',
    async (sql) => {
      for (const flight of [
        client.query(sql),
        Buffer.concat([client.extended(sql), client.sync]),
      ]) {
        const { driver, peer } = await stageTransaction()
        driver.write(flight)
        while (!/[QS]/.test((await peer.next()).tag));
        peer.finish()
        expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
        expect(driver.errors[0]?.retryable).toBe(false)
      }
    },
  )

  it('Front keeps a failed transaction failed until the driver ends it', async () => {
    const { driver, peer } = await stageTransaction()
    driver.write(client.query('insert'))
    await peer.expect('Q')
    peer.finish()
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZE'])
    driver.write(client.query('insert again'))
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZE'])
    driver.write(client.query('rollback'))
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
  })

  it.each([
    ['commit', 'ZI'],
    [' COMMIT', 'ZI'],
    ['end', 'ZI'],
    ['abort', 'ZI'],
    ['rollback work', 'ZI'],
    ['rollback transaction', 'ZI'],
    ['prepare transaction $$x$$', 'ZI'],
    ['rollback to savepoint s1', 'ZE'],
    ['ROLLBACK TO s1', 'ZE'],
    ['rollback work to s1', 'ZE'],
    ['rollback transaction to savepoint s1', 'ZE'],
    ['release s1', 'ZE'],
    ['prepare p as select 1', 'ZE'],
    ['select 1', 'ZE'],
  ])('Front takes “%s” as what it is to a lost transaction, %s', async (sql, status) => {
    for (const flight of [client.query(sql), Buffer.concat([client.extended(sql), client.sync])]) {
      const { driver, peer } = await stageTransaction()
      driver.write(client.query('insert'))
      await peer.expect('Q')
      peer.finish()
      await driver.until('ZE')
      driver.write(flight)
      expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', status])
    }
  })

  it('Front is freed once, however often its upstream is closed', async () => {
    const { wire, driver } = await stageTransaction()
    const closed = (): NullpoolError => new NullpoolError('ERR_SCOPE_CLOSED', 'over')
    void wire.upstream.close(closed, 10)
    void wire.upstream.close(closed, 10)
    await vi.advanceTimersByTimeAsync(20)
    await rest()
    expect(driver.unread).toEqual(['ZI'])
    await vi.advanceTimersByTimeAsync(QUERY_LIMIT)
    expect(driver.unread).toEqual(['ZI'])
  })
})
