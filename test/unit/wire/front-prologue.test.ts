import { describe, expect, it } from 'vitest'
import { MemoryDriver, type MemoryWire, memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

const set = Buffer.concat([
  server.parseComplete,
  server.bindComplete,
  server.dataRow('x'),
  server.commandComplete('SELECT 1'),
])
const begun = Buffer.concat([
  server.parseComplete,
  server.bindComplete,
  server.commandComplete('BEGIN'),
])
const inserted = server.commandComplete('INSERT 0 1')

async function stage(): Promise<{ wire: MemoryWire; driver: MemoryDriver }> {
  const wire = memoryWire()
  const settings = [
    ['request.claims', "it's"],
    ['role', 'reader'],
  ] as const
  return { wire, driver: await new MemoryDriver(wire.upstream, settings).start() }
}

function statements(peer: MemoryPeer): string[] {
  const written = Buffer.concat(peer.writes).toString('latin1')
  return [...written.matchAll(/(select|begin|commit|rollback|insert|copy)[^\0]*/g)].map(
    ([text]) => text,
  )
}

const SET = 'select pg_catalog.set_config($1,$2,true),pg_catalog.set_config($3,$4,true)'

describe('Front with settings of the transaction', () => {
  it('puts them before an extended flight, in its implicit transaction, with bound values', async () => {
    const { wire, driver } = await stage()
    driver.write(client.extended('insert 1'), client.sync)
    const peer = await wire.login()
    await peer.expect('P', 'B', 'E', 'P', 'B', 'D', 'E', 'S')
    expect(statements(peer)).toEqual([SET, 'insert 1'])
    const written = Buffer.concat(peer.writes).toString('latin1')
    expect(written).toContain(
      "\0\0\0\x0erequest.claims\0\0\0\x04it's\0\0\0\x04role\0\0\0\x06reader",
    )
    peer.send(set, server.parseComplete, server.bindComplete, server.noData, inserted)
    peer.send(server.ready())
    expect(await driver.until('Z')).toEqual(['1', '2', 'n', 'C', 'ZI'])
  })

  it('puts them before each transaction again', async () => {
    const { wire, driver } = await stage()
    driver.write(client.extended('insert 1'), client.sync)
    const peer = await wire.login()
    peer.send(set, server.parseComplete, server.bindComplete, server.noData, inserted)
    peer.send(server.ready())
    await driver.until('ZI')
    driver.write(client.extended('insert 2'), client.sync)
    await rest()
    expect(statements(peer)).toEqual([SET, 'insert 1', SET, 'insert 2'])
  })

  it('sends a simple query of one statement in the extended protocol', async () => {
    const { wire, driver } = await stage()
    driver.write(client.query('insert 1'))
    const peer = await wire.login()
    await peer.expect('P', 'B', 'E', 'P', 'B', 'D', 'E', 'S')
    peer.send(set, server.parseComplete, server.bindComplete, server.noData, inserted)
    peer.send(server.ready())
    expect(await driver.until('Z')).toEqual(['C', 'ZI'])
  })

  it('puts them behind a BEGIN, once', async () => {
    const { wire, driver } = await stage()
    driver.write(client.query('begin'))
    await driver.until('ZT')
    driver.write(client.extended('insert 1'), client.sync)
    const peer = await wire.login()
    await peer.expect('P', 'B', 'E', 'P', 'B', 'E', 'P', 'B', 'D', 'E', 'S')
    expect(statements(peer)).toEqual(['begin', SET, 'insert 1'])
    peer.send(begun, set, server.parseComplete, server.bindComplete, server.noData, inserted)
    peer.send(server.ready('T'))
    expect(await driver.until('Z')).toEqual(['1', '2', 'n', 'C', 'ZT'])
    driver.write(client.extended('insert 2'), client.sync)
    await peer.expect('P', 'B', 'D', 'E', 'S')
  })

  it('gives a simple query of several statements a transaction of its own', async () => {
    const { wire, driver } = await stage()
    driver.write(client.query('insert 1; insert 2'))
    const peer = await wire.login()
    await peer.expect('P', 'B', 'E', 'P', 'B', 'E', 'S')
    peer.send(begun, set, server.ready('T'))
    await peer.expect('Q')
    peer.send(inserted, inserted, server.ready('T'))
    await peer.expect('Q')
    expect(driver.unread).toEqual(['C', 'C'])
    peer.send(server.commandComplete('COMMIT'), server.ready())
    expect(await driver.until('Z')).toEqual(['C', 'C', 'ZI'])
    expect(statements(peer)).toEqual(['begin', SET, 'insert 1; insert 2', 'commit'])
  })

  it('rolls that back where a statement fails, and tells where the commit fails', async () => {
    const { wire, driver } = await stage()
    driver.write(client.query('insert 1; insert 2'))
    const peer = await wire.login()
    peer.send(begun, set, server.ready('T'))
    peer.send(inserted, server.errorMessage('ERROR', '22012', 'x'), server.ready('E'))
    peer.send(server.commandComplete('ROLLBACK'), server.ready())
    expect(await driver.until('Z')).toEqual(['C', 'E', 'ZI'])
    expect(statements(peer).at(-1)).toBe('rollback')
    driver.write(client.query('insert 1; insert 2'))
    peer.send(begun, set, server.ready('T'), inserted, inserted, server.ready('T'))
    peer.send(server.errorMessage('ERROR', '23505', 'deferred'), server.ready())
    expect(await driver.until('Z')).toEqual(['C', 'C', 'E', 'ZI'])
  })

  it('has the server take for one statement what could be several', async () => {
    const { wire, driver } = await stage()
    driver.write(client.query("insert '\\'; commit; insert '"))
    const peer = await wire.login()
    await peer.expect('P', 'B', 'E', 'P', 'B', 'D', 'E', 'S')
  })

  it('runs nothing where the settings are refused', async () => {
    for (const query of [client.query('insert 1; insert 2'), client.query('insert 1')]) {
      const { wire, driver } = await stage()
      driver.write(query)
      const peer = await wire.login()
      peer.send(server.errorMessage('ERROR', '42501', 'permission denied to set role'))
      peer.send(server.ready())
      expect(await driver.until('Z')).toEqual(['E', 'ZI'])
      await rest()
      expect(statements(peer)).not.toContain('insert 1; insert 2')
    }
  })

  it.each([
    'insert 1; commit; insert 2',
    'insert 1; begin',
    'insert 1;/* x */rollback; select 1',
    "insert 1; do 'begin commit; end'",
    'insert 1; call p()',
  ])('refuses %j, a part of which could run without them', async (text) => {
    const { wire, driver } = await stage()
    driver.write(client.query(text))
    expect(await driver.until('Z')).toEqual(['E', 'ZI'])
    expect(wire.upstream.busy).toBe(false)
    await rest()
    for (const peer of wire.server.peers) expect(statements(peer)).toEqual([])
  })

  it('are there when a statement is described and when it runs', async () => {
    const { wire, driver } = await stage()
    const ask = Buffer.concat([client.parse('insert $1'), client.describeStatement, client.flush])
    const go = Buffer.concat([client.bind(['1']), client.execute, client.sync])
    driver.write(ask)
    const peer = await wire.login()
    await peer.expect('P', 'B', 'E', 'P', 'D', 'S')
    peer.send(set, server.parseComplete, server.parameterDescription(1), server.noData)
    peer.send(server.ready())
    expect(await driver.until('n')).toEqual(['1', 't', 'n'])
    driver.write(go)
    await peer.expect('P', 'B', 'E', 'P', 'B', 'E', 'S')
    peer.send(set, server.parseComplete, server.bindComplete, inserted, server.ready())
    expect(await driver.until('Z')).toEqual(['2', 'C', 'ZI'])
    driver.write(ask)
    await driver.until('n')
    driver.write(go)
    await peer.expect('P', 'B', 'E', 'P', 'D', 'B', 'E', 'S')
  })

  it('are not another driver’s', async () => {
    const { wire, driver } = await stage()
    const other = await wire.driver()
    driver.write(client.extended('insert 1'), client.sync)
    other.write(client.extended('insert 2'), client.sync)
    const peer = await wire.login()
    peer.send(set, server.parseComplete, server.bindComplete, server.noData, inserted)
    peer.send(server.ready())
    await driver.until('ZI')
    await rest()
    expect(statements(peer)).toEqual([SET, 'insert 1', 'insert 2'])
  })
})
