import { describe, expect, it } from 'vitest'
import { MemoryBackend } from '../../support/memory-backend.ts'
import { type MemoryDriver, memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

const someRows = client.message('E', Buffer.from([0, 0, 0, 0, 2]))
const closePortal = client.message('C', Buffer.from('P\0'))
const copyData = (text: string): Buffer => client.message('d', Buffer.from(text))
const copyDone = client.message('c')
const copyFail = client.message('f', Buffer.from('no\0'))

/** A driver at a small Postgres. */
async function served(): Promise<{
  driver: MemoryDriver
  backend: MemoryBackend
  peer: MemoryPeer
}> {
  const wire = memoryWire()
  const driver = await wire.driver()
  wire.upstream.open()
  const peer = await wire.server.accept()
  const backend = new MemoryBackend(peer)
  void backend.serve()
  await rest()
  return { driver, backend, peer }
}

/** A driver that has had two rows of a cursor and may ask for more. */
async function withCursor() {
  const wire = memoryWire()
  const driver = await wire.driver()
  driver.write(client.parse('rows'), client.bind(), client.describe, someRows, client.flush)
  const peer = await wire.login()
  await peer.expect('P', 'B', 'D', 'E', 'H')
  peer.send(server.parseComplete, server.bindComplete, server.rowDescription)
  peer.send(server.dataRow('1'), server.dataRow('2'), server.portalSuspended)
  await driver.until('s')
  return { wire, driver, peer }
}

describe('Front with a cursor', () => {
  it('Front fetches batch by batch, and other flights wait for its end', async () => {
    const { driver, backend } = await served()
    driver.write(client.parse('rows 5'), client.bind(), client.describe, someRows, client.flush)
    expect(await driver.until('s')).toEqual(['1', '2', 'T', 'D', 'D', 's'])
    driver.write(someRows, client.flush)
    expect(await driver.until('s')).toEqual(['D', 'D', 's'])
    driver.write(someRows, client.flush)
    expect(await driver.until('C')).toEqual(['D', 'C'])
    driver.write(client.sync, client.query('rows 1'))
    expect(await driver.until('Z')).toEqual(['ZI'])
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
    expect(backend.statements).toEqual(['rows 5', 'rows 1'])
  })

  it('Front closes a cursor early', async () => {
    const { driver } = await served()
    driver.write(client.parse('rows 5'), client.bind(), someRows, client.flush)
    await driver.until('s')
    driver.write(closePortal, client.sync)
    expect(await driver.until('Z')).toEqual(['3', 'ZI'])
  })

  it('Front tells of a failure between two batches at once', async () => {
    const { driver, peer } = await withCursor()
    peer.finish()
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
    expect(driver.errors[0]?.retryable).toBe(false)
  })

  it('Front tells of a failure between two batches when the cursor is closed', async () => {
    const { driver, peer } = await withCursor()
    peer.finish()
    await rest()
    driver.write(closePortal, client.sync)
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
  })

  it('Front tells of a failure at once when more rows are awaited', async () => {
    const { driver, peer } = await withCursor()
    driver.write(someRows, client.flush)
    await peer.expect('E', 'H')
    peer.finish()
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
  })

  it('Front hands on an error of the cursor and waits for the driver’s Sync', async () => {
    const { driver } = await served()
    driver.write(client.parse('fail'), client.bind(), client.execute, client.flush)
    expect(await driver.until('E')).toEqual(['1', '2', 'E'])
    driver.write(client.sync)
    expect(await driver.until('Z')).toEqual(['ZI'])
    driver.write(client.query('rows 1'))
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
  })
})

describe('Front with a COPY from the driver', () => {
  it('Front hands the rows on to the flight that asked for them', async () => {
    const { driver, peer } = await served()
    driver.write(client.query('copy in'))
    expect(await driver.until('G')).toEqual(['G'])
    driver.write(copyData('1\n'))
    driver.write(copyData('2\n'), copyData('3\n'), copyDone)
    expect(await driver.until('Z')).toEqual(['C', 'ZI'])
    expect(Buffer.concat(peer.writes.slice(2))).toEqual(
      Buffer.concat([copyData('1\n'), copyData('2\n'), copyData('3\n'), copyDone]),
    )
  })

  it('Front hands a CopyFail on', async () => {
    const { driver } = await served()
    driver.write(client.query('copy in'))
    await driver.until('G')
    driver.write(copyFail)
    expect(await driver.until('Z')).toEqual(['E', 'ZI'])
  })

  it('Front keeps the rows of a COPY apart from a flight that waits behind it', async () => {
    const { driver, backend } = await served()
    driver.write(client.query('copy in'), client.query('rows 1'))
    await driver.until('G')
    driver.write(copyData('1\n'), copyDone)
    expect(await driver.until('Z')).toEqual(['C', 'ZI'])
    expect(await driver.until('Z')).toEqual(['T', 'D', 'C', 'ZI'])
    expect(backend.statements).toEqual(['copy in', 'rows 1'])
  })

  it('Front drops rows that come after the COPY has failed', async () => {
    const { driver, peer } = await served()
    driver.write(client.query('copy in'))
    await driver.until('G')
    driver.write(copyFail)
    await driver.until('ZI')
    const before = peer.writes.length
    driver.write(copyData('late\n'), copyDone)
    await rest()
    expect(peer.writes).toHaveLength(before)
    expect(driver.unread).toEqual([])
  })

  it('Front fails a COPY once, and drops the rows that are still written', async () => {
    const { driver, peer } = await served()
    driver.write(client.query('copy in'))
    await driver.until('G')
    peer.finish()
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
    expect(driver.errors[0]?.retryable).toBe(false)
    driver.write(copyData('late\n'), copyDone)
    await rest()
    expect(driver.unread).toEqual([])
  })

  it('Front sends the second Sync that a COPY by the extended protocol needs', async () => {
    const { driver } = await served()
    // A server ignores the Sync that comes while it waits for rows; drivers such as libpq send another.
    driver.write(client.extended('copy in'), client.sync)
    await driver.until('G')
    driver.write(copyData('1\n'), copyDone, client.sync)
    expect(await driver.until('C')).toEqual(['C'])
    await rest()
    expect(driver.unread).toEqual(['ZI'])
  })

  it('Front hands on the rows of a COPY that went ahead at a Flush', async () => {
    const { driver, backend } = await served()
    driver.write(client.extended('copy in'), client.flush)
    await driver.until('G')
    driver.write(copyData('1\n'), copyDone)
    await rest()
    expect(driver.unread).toEqual(['C'])
    driver.write(client.sync)
    await rest()
    expect(driver.unread).toEqual(['C', 'ZI'])
    expect(backend.statements).toEqual(['copy in'])
  })

  it('Front keeps rows that come too late from the flight behind the COPY that failed', async () => {
    const { driver, peer } = await served()
    driver.write(client.query('copy in'), client.query('hang'))
    await driver.until('G')
    driver.write(copyFail)
    await driver.until('Z')
    await rest()
    const before = peer.writes.length
    driver.write(copyData('late\n'), copyDone)
    await rest()
    expect(peer.writes.slice(before)).toEqual([])
  })

  it('Front calls back when the rows were taken by the runtime, and not before', async () => {
    const { driver, peer } = await served()
    driver.write(client.query('copy in'))
    await driver.until('G')
    const taking = Promise.withResolvers<void>()
    peer.onWrite = () => taking.promise
    let taken = false
    driver.front.write(new Uint8Array(copyData('1\n')), () => {
      taken = true
    })
    await rest()
    expect(taken).toBe(false)
    taking.resolve()
    await rest()
    expect(taken).toBe(true)
  })

  it.each([
    ['a row of a COPY that has failed', copyData('late\n')],
    ['a query without text', client.query('')],
    ['half a message', client.query('rows 1').subarray(0, 3)],
  ])('Front calls back for %s too', async (_what, bytes) => {
    const { driver } = await served()
    const taken = Promise.withResolvers<void>()
    driver.front.write(new Uint8Array(bytes), taken.resolve)
    let called = false
    void taken.promise.then(() => {
      called = true
    })
    await rest()
    expect(called).toBe(true)
  })
})
