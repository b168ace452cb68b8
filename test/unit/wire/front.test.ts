import { describe, expect, it } from 'vitest'
import { MemoryDriver, memoryWire } from '../../support/memory-driver.ts'
import { rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

const named = Buffer.concat([
  client.message('P', Buffer.from('s1\0select 1\0\0\0')),
  client.message('D', Buffer.from('Ss1\0')),
])

describe('Front', () => {
  it('Front lets a driver in without a connection', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    expect(driver.heard).toEqual(['R', 'K', 'ZI'])
    await rest()
    expect(wire.server.peers).toEqual([])
    expect(wire.events).toEqual([])
  })

  it('Front takes a start-up that comes in pieces, and what comes right behind it', async () => {
    const start = client.startupMessage({ user: 'nobody' })
    for (let at = 1; at <= start.length; at++) {
      const wire = memoryWire()
      const driver = new MemoryDriver(wire.upstream)
      driver.write(start.subarray(0, at))
      driver.write(start.subarray(at), client.query(''))
      await rest()
      expect(driver.heard, `cut at ${at}`).toEqual(['R', 'K', 'ZI', 'I', 'ZI'])
    }
  })

  it('Front connects at the first flight and hands on exactly what the server says', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.login()
    expect((await peer.next()).payload.toString()).toBe('select 1\0')
    const answer = server.result('ünï', '')
    peer.send(answer)
    expect(await driver.until('Z')).toEqual(['T', 'D', 'D', 'C', 'ZI'])
    expect(driver.bytes).toEqual(answer)
    expect(wire.events).toEqual(['opening', 'opened', 'answered 1', 'idle'])
  })

  it('Front sends one flight at a time, in order, however many a driver writes at once', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    const flights = ['a', 'b', 'c'].map((sql) => Buffer.concat([client.extended(sql), client.sync]))
    driver.write(...flights)
    const peer = await wire.login()
    for (const [at, flight] of flights.entries()) {
      await peer.expect('P', 'B', 'D', 'E', 'S')
      await rest()
      expect(peer.unread).toBe('')
      expect(peer.writes.at(-1)).toEqual(flight)
      peer.send(server.parseComplete, server.bindComplete, server.result(`row of ${at}`))
    }
    for (let at = 0; at < 3; at++) await driver.until('ZI')
    expect(driver.bytes.toString('latin1').match(/row of \d/g)).toEqual([
      'row of 0',
      'row of 1',
      'row of 2',
    ])
  })

  it('Front refuses a named statement in its place, behind the answers that are owed', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('first'), named, client.sync, client.query('last'))
    const peer = await wire.login()
    await peer.expect('Q')
    await rest()
    expect(driver.unread).toEqual([])
    peer.send(server.result('1'))
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
    expect(await driver.until('Z')).toEqual(['E', 'ZI'])
    expect(driver.bytes.toString('latin1')).toContain('CERR_PREPARED_STATEMENT\0')
    expect((await peer.next()).payload.toString()).toBe('last\0')
    peer.send(server.result())
    expect(await driver.until('Z')).toEqual(['T', 'C', 'ZI'])
    expect(peer.writes).toHaveLength(3)
  })

  it('Front refuses a named statement within a transaction with the status of the transaction', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.beginAtOnce, named, client.sync)
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.commandComplete('BEGIN'), server.ready('T'))
    expect(await driver.until('E')).toEqual(['C', 'ZT', 'E'])
    expect(await driver.until('Z')).toEqual(['ZT'])
  })

  it('Front refuses a named statement at its Flush and says ready only at its Sync', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(named, client.flush)
    await driver.until('E')
    await rest()
    expect(driver.unread).toEqual([])
    driver.write(client.sync)
    await driver.until('ZI')
    await rest()
    expect(driver.unread).toEqual([])
    expect(wire.server.peers).toEqual([])
  })

  it('Front answers a query without text itself, without a connection', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query(''))
    expect(await driver.until('Z')).toEqual(['I', 'ZI'])
    await rest()
    expect(wire.server.peers).toEqual([])
  })

  it('Front answers a query without text in its place', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'), client.query(''))
    const peer = await wire.login()
    await peer.expect('Q')
    await rest()
    expect(driver.unread).toEqual([])
    peer.send(server.result('1'))
    expect(await driver.until('I')).toEqual(['T', 'D', 'C', 'ZI', 'I'])
  })

  it.each([
    ['a query without text', client.query('')],
    ['a named statement', Buffer.concat([named, client.sync])],
  ])('Front calls no listener from inside of write, not even for %s', async (_what, bytes) => {
    const driver = await memoryWire().driver()
    driver.write(bytes)
    await driver.until('Z')
    expect(driver.calledInsideOfWrite).toBe(false)
  })

  it('Front hands on notices and parameters that come in between', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('set timezone'))
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.notice('careful'), server.parameterStatus('TimeZone', 'UTC'))
    peer.send(server.commandComplete('SET'), server.ready())
    expect(await driver.until('Z')).toEqual(['N', 'S', 'C', 'ZI'])
  })

  it('Front keeps to itself what the server says to nobody', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.result('1'))
    await driver.until('ZI')
    peer.send(server.parameterStatus('application_name', 'Supavisor'), server.notice('hello'))
    peer.send(server.errorMessage('ERROR', '01000', 'not fatal'))
    await rest()
    expect(driver.unread).toEqual([])
    driver.write(client.query('select 2'))
    await peer.expect('Q')
    peer.send(server.result('2'))
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
  })

  it('Front that a driver leaves is closed, and so is the connection', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('select 1'))
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.result('1'))
    await driver.until('ZI')
    driver.write(client.terminate)
    await driver.until('closed')
    await peer.expect('X')
    await rest()
    expect(peer.ended).toBe('closed')
    expect(driver.calledInsideOfWrite).toBe(false)
    driver.write(client.query('too late'))
    driver.front.end()
    await rest()
    expect(driver.unread).toEqual([])
    expect(wire.server.peers).toHaveLength(1)
  })
})

describe('Fronts', () => {
  it('Front gets the answers to its own flights, and flights take turns as they came', async () => {
    const wire = memoryWire()
    const [left, right] = [await wire.driver(), await wire.driver()]
    left.write(client.query('left 1'))
    right.write(client.query('right 1'))
    left.write(client.query('left 2'))
    const peer = await wire.login()
    for (const expected of ['left 1', 'right 1', 'left 2']) {
      const { payload } = await peer.next()
      expect(payload.toString()).toBe(`${expected}\0`)
      await rest()
      expect(peer.unread).toBe('')
      peer.send(server.result(expected))
    }
    await left.until('ZI')
    await left.until('ZI')
    await right.until('ZI')
    expect(left.bytes).toEqual(Buffer.concat([server.result('left 1'), server.result('left 2')]))
    expect(right.bytes).toEqual(server.result('right 1'))
  })

  it('Front within a transaction keeps the connection until the transaction ends', async () => {
    const wire = memoryWire()
    const [left, right] = [await wire.driver(), await wire.driver()]
    left.write(client.beginAtOnce)
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.commandComplete('BEGIN'), server.ready('T'))
    await left.until('ZT')
    right.write(client.query('insert of another'))
    await rest()
    expect(peer.unread).toBe('')
    left.write(client.query('rollback'))
    expect((await peer.next()).payload.toString()).toBe('rollback\0')
    peer.send(server.commandComplete('ROLLBACK'), server.ready())
    expect((await peer.next()).payload.toString()).toBe('insert of another\0')
  })

  it('Front of one driver may leave while another goes on', async () => {
    const wire = memoryWire()
    const [left, right] = [await wire.driver(), await wire.driver()]
    right.write(client.query('slow'))
    const peer = await wire.login()
    await peer.expect('Q')
    left.write(client.terminate)
    await left.until('closed')
    await rest()
    expect(peer.ended).toBeUndefined()
    peer.send(server.result('1'))
    await right.until('ZI')
  })

  it('Front that joins after a failure is told at its first flight', async () => {
    const wire = memoryWire()
    const first = await wire.driver()
    first.write(client.query('select 1'))
    const peer = await wire.login()
    peer.finish()
    await first.until('error ERR_CONNECTION_LOST')
    const second = new MemoryDriver(wire.upstream)
    await second.start()
    second.write(client.query('select 2'))
    await second.until('error ERR_CONNECTION_LOST')
    await second.until('ZI')
    expect(wire.server.peers).toHaveLength(1)
  })
})
