import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type MemoryDriver, type MemoryWire, memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

interface Stage {
  wire: MemoryWire
  driver: MemoryDriver
  peer: MemoryPeer
}

/** A driver at a server, after a first statement. */
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

/** What nobody has asked before, because what one test learns another one knows. */
const fresh = (): string => `select $1 /* ${randomUUID()} */`
const ask = (text: string): Buffer =>
  Buffer.concat([client.parse(text), client.describeStatement, client.flush])
const go = Buffer.concat([client.bind(['7']), client.execute, client.sync])
const answer = Buffer.concat([
  server.parseComplete,
  server.parameterDescription(1),
  server.rowDescription,
])
const rows = Buffer.concat([
  server.bindComplete,
  server.dataRow('7'),
  server.commandComplete('SELECT 1'),
])

async function learn({ driver, peer }: Stage, text: string): Promise<void> {
  driver.write(ask(text))
  await peer.expect('P', 'D', 'S')
  peer.send(answer, server.ready())
  await driver.until('T')
  driver.write(go)
  await peer.expect('P', 'B', 'E', 'S')
  peer.send(server.parseComplete, rows, server.ready())
  await driver.until('ZI')
}

describe('Front of a driver that asks what a statement takes', () => {
  it('asks the server with a Sync at first sight, and sends Parse again', async () => {
    const { driver, peer } = await stage()
    driver.write(ask(fresh()))
    await peer.expect('P', 'D', 'S')
    peer.send(answer, server.ready())
    expect(await driver.until('T')).toEqual(['1', 't', 'T'])
    await rest()
    expect(driver.unread, 'its ReadyForQuery is nobody’s').toEqual([])
    driver.write(go)
    await peer.expect('P', 'B', 'E', 'S')
    peer.send(server.parseComplete, rows, server.ready())
    expect(await driver.until('Z')).toEqual(['2', 'D', 'C', 'ZI'])
  })

  it('does not send the rest before the ReadyForQuery of the question', async () => {
    const { driver, peer } = await stage()
    driver.write(ask(fresh()))
    await peer.expect('P', 'D', 'S')
    peer.send(answer)
    await driver.until('T')
    driver.write(go)
    await rest()
    expect(peer.unread).toBe('')
    peer.send(server.ready())
    await peer.expect('P', 'B', 'E', 'S')
  })

  it('answers itself from then on, and sends one flight', async () => {
    const made = await stage()
    const text = fresh()
    await learn(made, text)
    const { driver, peer } = made
    driver.write(ask(text))
    expect(await driver.until('T')).toEqual(['1', 't', 'T'])
    expect(peer.unread).toBe('')
    driver.write(go)
    await peer.expect('P', 'D', 'B', 'E', 'S')
    peer.send(answer, rows, server.ready())
    expect(await driver.until('Z')).toEqual(['2', 'D', 'C', 'ZI'])
  })

  it('knows nothing of a statement with other declared types, or in another database', async () => {
    const made = await stage()
    const text = fresh()
    await learn(made, text)
    const declared = client.message('P', Buffer.from(`\0${text}\0\0\x01\0\0\0\x17`))
    made.driver.write(declared, client.describeStatement, client.flush)
    await made.peer.expect('P', 'D', 'S')
    const elsewhere = memoryWire({
      credentials: { user: 'alice', database: 'other', password: () => '', applicationName: 'x' },
    })
    const driver = await elsewhere.driver()
    driver.write(ask(text))
    const peer = await elsewhere.login()
    await peer.expect('P', 'D', 'S')
  })

  it('passes a row on that has changed, and knows it the next time', async () => {
    const made = await stage()
    const text = fresh()
    await learn(made, text)
    const { driver, peer } = made
    driver.write(ask(text))
    await driver.until('T')
    driver.write(go)
    await peer.expect('P', 'D', 'B', 'E', 'S')
    peer.send(server.parseComplete, server.parameterDescription(2), server.noData, rows)
    peer.send(server.ready())
    expect(await driver.until('Z')).toEqual(['n', '2', 'D', 'C', 'ZI'])
    driver.write(ask(text))
    expect(await driver.until('n')).toEqual(['1', 't', 'n'])
  })

  it('gives the error of a question to the driver, and ReadyForQuery at its Sync', async () => {
    const { wire, driver, peer } = await stage()
    driver.write(ask(fresh()))
    await peer.expect('P', 'D', 'S')
    peer.send(server.errorMessage('ERROR', '42P01', 'no such table'), server.ready())
    await driver.until('E')
    await rest()
    expect(driver.unread).toEqual([])
    driver.write(client.sync)
    expect(await driver.until('Z')).toEqual(['ZI'])
    await rest()
    expect(peer.unread, 'a lone Sync is never sent').toBe('')
    expect(wire.upstream.busy).toBe(false)
  })

  it('gives the error of a flight that was answered before to the driver', async () => {
    const made = await stage()
    const text = fresh()
    await learn(made, text)
    made.driver.write(ask(text))
    await made.driver.until('T')
    made.driver.write(go)
    made.peer.send(server.errorMessage('ERROR', '42P01', 'dropped'), server.ready())
    expect(await made.driver.until('Z')).toEqual(['E', 'ZI'])
  })

  it('asks anew after a driver that wanted to know and nothing else', async () => {
    const made = await stage()
    const text = fresh()
    await learn(made, text)
    const { wire, driver, peer } = made
    driver.write(ask(text))
    await driver.until('T')
    driver.write(client.sync)
    expect(await driver.until('Z')).toEqual(['ZI'])
    expect(wire.upstream.busy).toBe(false)
    driver.write(ask(text))
    await peer.expect('P', 'D', 'S')
    peer.send(answer, server.ready())
    await driver.until('T')
    driver.write(client.sync)
    expect(await driver.until('Z')).toEqual(['ZI'])
    expect(wire.upstream.busy).toBe(false)
  })

  it('answers in its place, behind the answers that are owed', async () => {
    const made = await stage()
    const text = fresh()
    await learn(made, text)
    const { driver, peer } = made
    driver.write(client.query('first'), ask(text))
    await peer.expect('Q')
    await rest()
    expect(driver.unread).toEqual([])
    peer.send(server.result('1'))
    expect(await driver.until('ZI')).toEqual(['T', 'D', 'C', 'ZI'])
    expect(await driver.until('T')).toEqual(['1', 't', 'T'])
  })

  it('serves a driver that does not wait for the answer', async () => {
    const made = await stage()
    const text = fresh()
    const { driver, peer } = made
    driver.write(ask(text), go)
    await peer.expect('P', 'D', 'S')
    await rest()
    expect(peer.unread).toBe('')
    peer.send(answer, server.ready())
    await peer.expect('P', 'B', 'E', 'S')
    peer.send(server.parseComplete, rows, server.ready())
    expect(await driver.until('Z')).toEqual(['1', 't', 'T', '2', 'D', 'C', 'ZI'])
    driver.write(ask(text), go)
    await peer.expect('P', 'D', 'B', 'E', 'S')
    peer.send(answer, rows, server.ready())
    expect(await driver.until('Z')).toEqual(['1', 't', 'T', '2', 'D', 'C', 'ZI'])
  })

  it('skips what a driver sends behind an error without having waited', async () => {
    const { driver, peer } = await stage()
    driver.write(ask(fresh()), go)
    await peer.expect('P', 'D', 'S')
    peer.send(server.errorMessage('ERROR', '42P01', 'no such table'), server.ready())
    expect(await driver.until('Z')).toEqual(['E', 'ZI'])
    await rest()
    expect(peer.unread).toBe('')
  })

  it('asks before the first connection too, and answers without one where it knows', async () => {
    const made = await stage()
    const text = fresh()
    await learn(made, text)
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(ask(text))
    expect(await driver.until('T')).toEqual(['1', 't', 'T'])
    expect(wire.server.peers).toEqual([])
    driver.write(go)
    const peer = await wire.login()
    await peer.expect('P', 'D', 'B', 'E', 'S')
  })
})
