import { describe, expect, it } from 'vitest'
import { memoryWire } from '../../support/memory-driver.ts'
import { rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

describe('Front with a COPY to the driver', () => {
  it('Front hands on every row and the end', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('copy out'))
    const peer = await wire.login()
    await peer.expect('Q')
    const rows = ['1', '2', '3'].map(server.copyData)
    const end = [server.copyDone, server.commandComplete('COPY 3'), server.ready()]
    peer.send(server.copyOutResponse, ...rows, ...end)
    expect(await driver.until('Z')).toEqual(['H', 'd', 'd', 'd', 'c', 'C', 'ZI'])
  })

  it('Front fails a COPY whose connection ends between two rows', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('copy out'))
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.copyOutResponse, server.copyData('1\n'))
    await driver.until('d')
    peer.finish()
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
  })

  it('Front that is paused reads no more until it is resumed', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('copy out'))
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.copyOutResponse, server.copyData('1\n'))
    await driver.until('d')
    driver.front.pause()
    peer.send(server.copyData('2\n'))
    await driver.until('d')
    peer.send(server.copyData('3\n'))
    await rest()
    expect(driver.unread).toEqual([])
    expect(peer.reading).toBe(false)
    driver.front.resume()
    await driver.until('d')
    await rest()
    expect(peer.reading).toBe(true)
  })

  it('Front that is owed nothing any more is not paused any more', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('copy out'))
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.copyOutResponse, server.copyData('1\n'))
    await driver.until('d')
    driver.front.pause()
    // A stream that its reader has left is paused and never resumed.
    peer.send(server.copyDone, server.commandComplete('COPY 1'), server.ready())
    await driver.until('ZI')
    driver.write(client.query('select 1'))
    await peer.expect('Q')
    peer.send(server.result('1'))
    await rest()
    expect(driver.unread).toEqual(['T', 'D', 'C', 'ZI'])
  })

  it('Front that is left while it is paused is read to its end', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('copy out'))
    const peer = await wire.login()
    await peer.expect('Q')
    peer.send(server.copyOutResponse, server.copyData('1\n'))
    await driver.until('d')
    driver.front.pause()
    driver.front.end()
    peer.send(server.copyData('2\n'))
    peer.send(server.copyDone, server.commandComplete('COPY 2'), server.ready())
    await rest()
    expect(peer.unread).toBe('X')
    expect(peer.ended).toBe('closed')
  })

  it('Front that owes nothing does not stop the reading for others', async () => {
    const wire = memoryWire()
    const [busy, bystander] = [await wire.driver(), await wire.driver()]
    busy.write(client.query('select 1'))
    const peer = await wire.login()
    await peer.expect('Q')
    bystander.front.pause()
    peer.send(server.rowDescription)
    peer.send(server.dataRow('1'))
    await busy.until('D')
    peer.send(server.commandComplete('SELECT 1'), server.ready())
    await busy.until('ZI')
  })
})
