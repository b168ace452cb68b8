import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type MemoryDriver, memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

const done = (tag: string): Buffer =>
  Buffer.concat([server.parseComplete, server.bindComplete, server.commandComplete(tag)])
const inserted = Buffer.concat([
  ...[server.parseComplete, server.bindComplete, server.noData],
  ...[server.commandComplete('INSERT 0 1'), server.ready('T')],
])
const acknowledged = ['C', 'ZT']

interface Stage {
  driver: MemoryDriver
  peer: MemoryPeer
}

/** Says it, and hears of it as of a lone statement that gives no rows. */
async function say(driver: MemoryDriver, text: string, heard = acknowledged): Promise<void> {
  driver.write(client.query(text))
  expect(await driver.until('Z')).toEqual(heard)
}

/** A driver that has said `texts` behind its BEGIN, and a server that has heard of nothing. */
async function stage(...texts: string[]): Promise<Stage> {
  const wire = memoryWire({ queryTimeoutMs: 3_000 })
  const driver = await wire.driver()
  for (const text of ['begin', ...texts]) await say(driver, text)
  expect(wire.server.peers).toEqual([])
  driver.write(client.query('insert 1'))
  return { driver, peer: await wire.login() }
}

/** The same, in a transaction in which the server has done something. */
async function stageOpen(): Promise<Stage> {
  const { driver, peer } = await stage()
  await peer.expect(...'PBEPBDES')
  peer.send(done('BEGIN'), inserted)
  expect(await driver.until('Z')).toEqual(['C', 'ZT'])
  return { driver, peer }
}

function statements(peer: MemoryPeer): string[] {
  const written = Buffer.concat(peer.writes).toString('latin1')
  return [...written.matchAll(/(?:begin|commit|savepoint|release|rollback|insert)[^\0]*/g)].map(
    ([text]) => text,
  )
}

describe('Front of a driver that begins savepoints', () => {
  it('sends them with the first statement, in their order', async () => {
    const { driver, peer } = await stage('savepoint "one"', 'savepoint "two"')
    await peer.expect(...'PBEPBEPBEPBDES')
    expect(statements(peer)).toEqual(['begin', 'savepoint "one"', 'savepoint "two"', 'insert 1'])
    peer.send(done('BEGIN'), done('SAVEPOINT'), done('SAVEPOINT'), inserted)
    expect(await driver.until('Z')).toEqual(['C', 'ZT'])
  })

  it('sends them again where BEGIN was stopped before them', async () => {
    const { driver, peer } = await stage('savepoint "one"', 'savepoint "two"')
    await peer.expect(...'PBEPBEPBEPBDES')
    peer.send(server.errorMessage('ERROR', '57014', 'cancelled'), server.ready())
    expect(await driver.until('Z')).toEqual(['E', 'ZT'])
    driver.write(client.query('rollback to "two"'))
    await peer.expect(...'PBEPBEPBEPBDES')
    expect(statements(peer).slice(-4)).toEqual([
      ...['begin', 'savepoint "one"', 'savepoint "two"', 'rollback to "two"'],
    ])
  })

  it('does not trouble the server with them where the transaction is over', async () => {
    const { driver, peer } = await stageOpen()
    await say(driver, 'savepoint "one"')
    driver.write(client.query('commit'))
    await peer.expect('Q')
    expect(statements(peer)).toEqual(['begin', 'insert 1', 'commit'])
    peer.send(server.commandComplete('COMMIT'), server.ready())
    expect(await driver.until('Z')).toEqual(['C', 'ZI'])
  })

  it.each(['commit', 'rollback'])('forgets them with a %s of an empty transaction', async (end) => {
    const wire = memoryWire({ queryTimeoutMs: 3_000 })
    const driver = await wire.driver()
    await say(driver, 'begin')
    await say(driver, 'savepoint "one"')
    await say(driver, end, ['C', 'ZI'])
    await say(driver, 'begin')
    driver.write(client.query('insert 1'))
    const peer = await wire.login()
    await peer.expect(...'PBEPBDES')
    expect(statements(peer)).toEqual(['begin', 'insert 1'])
  })

  it('sends them before several statements at once, and waits for them', async () => {
    const { driver, peer } = await stageOpen()
    await say(driver, 'savepoint "one"')
    driver.write(client.query('insert 2; insert 3'))
    await peer.expect(...'PBES')
    await rest()
    expect(peer.unread).toBe('')
    peer.send(done('SAVEPOINT'), server.ready('T'))
    await peer.expect('Q')
  })

  it('leaves one to the server that refuses everything, or that nothing has begun', async () => {
    const { driver, peer } = await stageOpen()
    driver.write(client.query('insert 2'))
    await peer.expect('Q')
    // What is under way may fail.
    driver.write(client.query('savepoint "one"'))
    await rest()
    expect(driver.unread).toEqual([])
    peer.send(server.errorMessage('ERROR', '22012', 'by zero'), server.ready('E'))
    expect(await driver.until('Z')).toEqual(['E', 'ZE'])
    await peer.expect('Q')
    expect(statements(peer).at(-1)).toBe('savepoint "one"')
    const outside = memoryWire()
    const other = await outside.driver()
    other.write(client.query('savepoint "one"'))
    await (await outside.login()).expect('Q')
  })

  it('leaves one to the server whose driver has asked about it before, and heard', async () => {
    const { driver, peer } = await stageOpen()
    const ask = [
      client.parse(`savepoint "${randomUUID()}"`),
      client.describeStatement,
      client.flush,
    ]
    const go = [client.bind(), client.execute, client.sync]
    const answer = [server.parseComplete, server.parameterDescription(0), server.noData]
    driver.write(...ask)
    await peer.expect(...'PDS')
    peer.send(...answer, server.ready('T'))
    expect(await driver.until('n')).toEqual(['1', 't', 'n'])
    driver.write(...go)
    await peer.expect(...'PBES')
    peer.send(done('SAVEPOINT'), server.ready('T'))
    expect(await driver.until('Z')).toEqual(['2', 'C', 'ZT'])
    driver.write(...ask)
    expect(await driver.until('n')).toEqual(['1', 't', 'n'])
    driver.write(...go)
    await peer.expect(...'PDBES')
    peer.send(...answer, server.bindComplete, server.commandComplete('SAVEPOINT'))
    peer.send(server.ready('T'))
    expect(await driver.until('Z')).toEqual(['2', 'C', 'ZT'])
  })
})
