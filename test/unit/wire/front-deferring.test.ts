import { afterEach, describe, expect, it, vi } from 'vitest'
import { type MemoryDriver, memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

afterEach(() => vi.useRealTimers())

const begun = Buffer.concat([
  server.parseComplete,
  server.bindComplete,
  server.commandComplete('BEGIN'),
])
/** The answer to a query of one row, in a transaction. */
const rows = Buffer.concat([
  server.rowDescription,
  server.dataRow('1'),
  server.commandComplete('SELECT 1'),
  server.ready('T'),
])
const commit = Buffer.concat([client.extended('commit'), client.sync])

function texts(peer: MemoryPeer): string[] {
  const written = Buffer.concat(peer.writes).toString('latin1')
  return [...written.matchAll(/(begin|start|commit|rollback|insert|select)[^\0]*/g)].map(
    ([text]) => text,
  )
}

async function begin(text = 'begin'): Promise<{
  wire: ReturnType<typeof memoryWire>
  driver: MemoryDriver
}> {
  const wire = memoryWire({ queryTimeoutMs: 3_000 })
  const driver = await wire.driver()
  driver.write(client.query(text))
  expect(await driver.until('Z')).toEqual(['C', 'ZT'])
  return { wire, driver }
}

describe('Front of a driver that begins a transaction', () => {
  it.each([
    'begin',
    'BEGIN;',
    'begin work',
    ' begin transaction isolation level serializable, read only, deferrable',
    'start transaction isolation level repeatable read',
    'begin read write not deferrable ',
    'begin isolation level read committed',
  ])('acknowledges %j without a connection', async (text) => {
    const { wire } = await begin(text)
    expect(wire.server.peers).toEqual([])
    expect(wire.upstream.busy).toBe(false)
  })

  it.each([
    'begin; select 1',
    'begin at once',
    'begin isolation level sideways',
    'begin atomic',
    'select 1',
    'start something',
  ])('sends %j as it is', async (text) => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query(text))
    const peer = await wire.login()
    expect((await peer.next()).payload.toString()).toBe(`${text}\0`)
  })

  it('sends it with the first flight, whose answers are all that the driver hears', async () => {
    const { wire, driver } = await begin('begin read only')
    driver.write(client.extended('select 1'), client.sync)
    const peer = await wire.login()
    await peer.expect('P', 'B', 'E', 'P', 'B', 'D', 'E', 'S')
    expect(texts(peer)).toEqual(['begin read only', 'select 1'])
    peer.send(begun, server.parseComplete, server.bindComplete, rows)
    expect(await driver.until('Z')).toEqual(['1', '2', 'T', 'D', 'C', 'ZT'])
    driver.write(commit)
    await peer.expect('P', 'B', 'D', 'E', 'S')
  })

  it('sends it with a simple query of one statement, in the extended protocol', async () => {
    const { wire, driver } = await begin()
    driver.write(client.query("select ';' -- one"))
    const peer = await wire.login()
    await peer.expect('P', 'B', 'E', 'P', 'B', 'D', 'E', 'S')
    peer.send(begun, server.parseComplete, server.bindComplete, rows)
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZT'])
  })

  it('hides NoData of a simple query without rows', async () => {
    const { wire, driver } = await begin()
    driver.write(client.query('insert into t values (1)'))
    const peer = await wire.login()
    peer.send(begun, server.parseComplete, server.bindComplete, server.noData)
    peer.send(server.commandComplete('INSERT 0 1'), server.ready('T'))
    expect(await driver.until('Z')).toEqual(['C', 'ZT'])
  })

  it.each(['select 1; select 2', 'copy t from stdin', 'select $$a'])(
    'sends it before %j, which has to stay a simple query',
    async (text) => {
      const { wire, driver } = await begin()
      driver.write(client.query(text))
      const peer = await wire.login()
      await peer.expect('P', 'B', 'E', 'S')
      await rest()
      expect(peer.unread).toBe('')
      peer.send(begun, server.ready('T'))
      await peer.expect('Q')
      peer.send(rows)
      expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZT'])
    },
  )

  it.each([
    ['insert 1; insert 2', 'PBES'],
    ['insert 1', 'PBEPBDES'],
  ])('runs nothing outside of a transaction that could not begin with %j', async (text, sent) => {
    const { wire, driver } = await begin()
    driver.write(client.query(text))
    const peer = await wire.login()
    await peer.expect(...sent)
    peer.send(server.errorMessage('ERROR', '57014', 'cancelled'), server.ready())
    expect(await driver.until('Z')).toEqual(['E', 'ZT'])
    driver.write(client.query('savepoint "s0"'))
    expect(await driver.until('Z')).toEqual(['C', 'ZT'])
    driver.write(client.query('select 1'))
    await peer.expect(...'PBEPBEPBDES')
    expect(texts(peer).slice(-2)).toEqual(['begin', 'select 1'])
    peer.send(begun, server.parseComplete, server.bindComplete, server.commandComplete('SAVEPOINT'))
    peer.send(server.parseComplete, server.bindComplete, rows)
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZT'])
  })

  it('leaves a BEGIN to the server whose driver has asked about it before, and heard', async () => {
    const wire = memoryWire({ queryTimeoutMs: 3_000 })
    const driver = await wire.driver()
    const text = 'begin isolation level repeatable read, read only, not deferrable'
    const ask = [client.parse(text), client.describeStatement, client.flush]
    const go = [client.bind(), client.execute, client.sync]
    const answer = [server.parseComplete, server.parameterDescription(0), server.noData]
    const ran = [server.bindComplete, server.commandComplete('BEGIN'), server.ready('T')]
    driver.write(...ask)
    const peer = await wire.login()
    await peer.expect(...'PDS')
    peer.send(...answer, server.ready())
    expect(await driver.until('n')).toEqual(['1', 't', 'n'])
    driver.write(...go)
    await peer.expect(...'PBES')
    peer.send(server.parseComplete, ...ran)
    expect(await driver.until('Z')).toEqual(['2', 'C', 'ZT'])
    driver.write(client.query('commit'))
    await peer.expect('Q')
    peer.send(server.commandComplete('COMMIT'), server.ready())
    expect(await driver.until('Z')).toEqual(['C', 'ZI'])
    driver.write(...ask)
    expect(await driver.until('n')).toEqual(['1', 't', 'n'])
    driver.write(...go)
    await peer.expect(...'PDBES')
    peer.send(...answer, ...ran)
    expect(await driver.until('Z')).toEqual(['2', 'C', 'ZT'])
  })

  it('keeps a driver in it that has only asked what a statement takes', async () => {
    const { wire, driver } = await begin()
    driver.write(client.parse('insert $1'), client.describeStatement, client.flush)
    const peer = await wire.login()
    await peer.expect(...'PBEPDS')
    peer.send(server.errorMessage('ERROR', '57014', 'cancelled'), server.ready())
    expect(await driver.until('E')).toEqual(['E'])
    driver.write(client.sync)
    expect(await driver.until('Z')).toEqual(['ZT'])
    driver.write(client.query('select 1'))
    await peer.expect(...'PBEPBDES')
  })

  it('takes one that could not begin for over where its driver has left it', async () => {
    const { wire, driver } = await begin()
    driver.write(client.query('commit; select 1'))
    const peer = await wire.login()
    await peer.expect(...'PBES')
    peer.send(server.errorMessage('ERROR', '57014', 'cancelled'), server.ready())
    expect(await driver.until('Z')).toEqual(['E', 'ZI'])
    driver.write(client.query('select 1'))
    await peer.expect('Q')
  })

  it.each([
    ['commit', client.query('commit'), ['C', 'ZI']],
    ['rollback', client.query('rollback'), ['C', 'ZI']],
    ['commit by the extended protocol', commit, ['1', '2', 'n', 'C', 'ZI']],
    [
      'commit that is described first',
      Buffer.concat([
        client.parse('commit'),
        client.describeStatement,
        client.bind(),
        client.execute,
        client.sync,
      ]),
      ['1', 't', 'n', '2', 'C', 'ZI'],
    ],
  ])('answers the %s of an empty transaction itself', async (_what, end, answers) => {
    const { wire, driver } = await begin()
    driver.write(end)
    expect(await driver.until('Z')).toEqual(answers)
    expect(wire.server.peers).toEqual([])
    driver.write(client.query('select 1'))
    const peer = await wire.login()
    expect((await peer.next()).payload.toString()).toBe('select 1\0')
  })

  it('sends a transaction whole that its driver does not wait for', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('begin'), client.query('insert 1'), client.query('commit'))
    const peer = await wire.login()
    await peer.expect('P', 'B', 'E', 'P', 'B', 'D', 'E', 'S')
    peer.send(begun, server.parseComplete, server.bindComplete, server.noData)
    peer.send(server.commandComplete('INSERT 0 1'), server.ready('T'))
    await peer.expect('Q')
    peer.send(server.commandComplete('COMMIT'), server.ready())
    for (const status of ['ZT', 'ZT', 'ZI']) expect(await driver.until('Z')).toEqual(['C', status])
  })

  it('keeps it with a flight that the server cannot be sent, and begins with the next', async () => {
    const { wire, driver } = await begin()
    driver.write(client.query(''))
    expect(await driver.until('Z')).toEqual(['I', 'ZT'])
    driver.write(client.extended('select 1'), client.sync)
    const peer = await wire.login()
    await peer.expect('P', 'B', 'E', 'P', 'B', 'D', 'E', 'S')
  })

  it('ends a transaction of which nothing comes, so that others need not wait for ever', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    const { wire, driver } = await begin()
    await vi.advanceTimersByTimeAsync(3_000)
    await driver.until('ZI')
    driver.write(client.query('select 1'))
    expect(await driver.until('Z')).toEqual(['error ERR_TRANSACTION_IDLE', 'ZI'])
    expect(wire.server.peers).toEqual([])
  })

  it('makes an error of a COMMIT that the server answers with ROLLBACK', async () => {
    for (const end of [client.query('commit'), client.query('end'), commit]) {
      const { wire, driver } = await begin()
      driver.write(client.extended('fail'), client.sync)
      const peer = await wire.login()
      peer.send(begun, server.errorMessage('ERROR', '22012', 'x'), server.ready('E'))
      expect(await driver.until('Z')).toEqual(['E', 'ZE'])
      driver.write(end)
      peer.send(server.commandComplete('ROLLBACK'), server.ready())
      expect(await driver.until('Z')).toEqual(['E', 'ZI'])
      expect(driver.bytes.toString('latin1')).toContain('C40000\0')
    }
  })

  it('lets a ROLLBACK be one', async () => {
    const { wire, driver } = await begin()
    driver.write(client.query('insert 1'))
    const peer = await wire.login()
    peer.send(begun, server.parseComplete, server.bindComplete, server.noData)
    peer.send(server.commandComplete('INSERT 0 1'), server.ready('T'))
    await driver.until('ZT')
    driver.write(client.query('rollback'))
    peer.send(server.commandComplete('ROLLBACK'), server.ready())
    expect(await driver.until('Z')).toEqual(['C', 'ZI'])
  })

  it('begins with the next one where a statement was cancelled before it left', async () => {
    const { wire, driver } = await begin()
    driver.write(client.extended('insert 1'), client.sync)
    driver.write(client.extended('insert 2'), client.sync)
    await wire.upstream.cancel(1)
    expect(await driver.until('Z')).toEqual(['E', 'ZT'])
    const peer = await wire.login()
    await peer.expect('P', 'B', 'E', 'P', 'B', 'D', 'E', 'S')
    expect(texts(peer)).toEqual(['begin', 'insert 2'])
  })
})
