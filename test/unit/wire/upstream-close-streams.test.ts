import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { NullpoolError } from '../../../src/errors.ts'
import { MemoryBackend } from '../../support/memory-backend.ts'
import { memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

const LIMIT = 500
const over = (): NullpoolError => new NullpoolError('ERR_SCOPE_CLOSED', 'The request is over.')
const someRows = client.message('E', Buffer.from([0, 0, 0, 0, 2]))
const copyData = client.message('d', Buffer.from('1\n'))

/** A driver at a small Postgres that has answered these messages. */
async function served(...messages: Buffer[]) {
  const wire = memoryWire({ closeTimeoutMs: LIMIT })
  const driver = await wire.driver()
  driver.write(...messages)
  const peer = await wire.server.accept()
  const backend = new MemoryBackend(peer)
  void backend.serve()
  await rest()
  return { wire, driver, peer, backend }
}

/** A driver whose messages have arrived at a server that has said nothing yet. */
async function waiting(...messages: Buffer[]) {
  const wire = memoryWire({ closeTimeoutMs: LIMIT })
  const driver = await wire.driver()
  driver.write(...messages)
  const peer = await wire.login()
  await rest()
  while (peer.unread !== '') await peer.next()
  return { wire, driver, peer }
}

/** That exactly this has come by now. */
async function arrived(peer: MemoryPeer, tag: string): Promise<void> {
  await rest()
  expect(peer.unread).toBe(tag)
  await peer.next()
}

describe('Upstream.close of a flight that is the driver’s turn', () => {
  it('Upstream.close ends a held cursor with a Sync before its goodbye', async () => {
    const { wire, peer, backend } = await served(
      client.parse('rows 9'),
      client.bind(),
      someRows,
      client.flush,
    )
    void wire.upstream.close(over)
    await rest()
    expect(Buffer.concat(peer.writes.slice(-2))).toEqual(
      Buffer.concat([client.sync, client.terminate]),
    )
    expect(backend.goodbye).toBe('I')
    expect(peer.ended).toBe('closed')
  })

  it('Upstream.close tells the driver of a held cursor at once, and when it asks for more', async () => {
    const { wire, driver } = await served(
      client.parse('rows 9'),
      client.bind(),
      someRows,
      client.flush,
    )
    await driver.until('s')
    void wire.upstream.close(over)
    expect(await driver.until('Z')).toEqual(['error ERR_SCOPE_CLOSED', 'ZI'])
    driver.write(someRows, client.flush)
    expect(await driver.until('Z')).toEqual(['error ERR_SCOPE_CLOSED', 'ZI'])
  })

  it('Upstream.close ends a cursor within a transaction, then the transaction', async () => {
    const { wire, driver, backend } = await served(client.beginAtOnce)
    await driver.until('ZT')
    driver.write(client.parse('rows 9'), client.bind(), someRows, client.flush)
    await driver.until('s')
    void wire.upstream.close(over)
    await rest()
    expect(backend.statements).toEqual(['begin at once', 'rows 9', 'rollback'])
    expect(backend.goodbye).toBe('I')
  })

  it('Upstream.close ends a COPY from the driver with CopyFail', async () => {
    const { wire, driver, peer, backend } = await served(client.query('copy in'))
    await driver.until('G')
    driver.write(copyData)
    void wire.upstream.close(over)
    await rest()
    expect(Buffer.concat(peer.writes).toString('latin1')).toMatch(/f\0{3}.The request is over/)
    expect(backend.goodbye).toBe('I')
    expect(peer.ended).toBe('closed')
    expect(driver.unread).toEqual(['error ERR_SCOPE_CLOSED', 'ZI'])
  })

  it('Upstream.close ends a COPY by the extended protocol with CopyFail and the Sync it lacks', async () => {
    const { wire, driver, peer, backend } = await served(client.extended('copy in'), client.sync)
    await driver.until('G')
    void wire.upstream.close(over)
    await rest()
    expect(backend.goodbye).toBe('I')
    expect(peer.ended).toBe('closed')
  })

  it('Upstream.close ends a COPY by the extended protocol whose Sync has not been sent', async () => {
    const { wire, driver, peer, backend } = await served(client.extended('copy in'), client.flush)
    await driver.until('G')
    void wire.upstream.close(over)
    await rest()
    expect(backend.goodbye).toBe('I')
    expect(peer.ended).toBe('closed')
  })

  it('Upstream.close needs no answer for a named statement whose Sync has not come', async () => {
    const { wire, driver, peer, backend } = await served(client.query('rows 1'))
    await driver.until('ZI')
    driver.write(client.message('P', Buffer.from('s1\0select 1\0\0\0')), client.flush)
    await driver.until('E')
    void wire.upstream.close(over)
    await rest()
    expect(backend.goodbye).toBe('I')
    expect(peer.ended).toBe('closed')
    expect(Buffer.concat(peer.writes).toString('latin1')).not.toContain('s1')
  })

  it('Upstream.close sends no named statement that it was about to refuse', async () => {
    const { wire, driver, peer, backend } = await served(client.query('rows 1'))
    await driver.until('ZI')
    driver.write(client.message('P', Buffer.from('s1\0select 1\0\0\0')), client.sync)
    void wire.upstream.close(over)
    await rest()
    expect(driver.unread).toEqual(['error ERR_SCOPE_CLOSED', 'ZI'])
    expect(backend.goodbye).toBe('I')
    expect(Buffer.concat(peer.writes).toString('latin1')).not.toContain('s1')
  })

  it('Upstream.leave sends no named statement that was refused', async () => {
    const { driver, peer, backend } = await served(client.query('rows 1'))
    await driver.until('ZI')
    driver.write(client.message('P', Buffer.from('s1\0select 1\0\0\0')), client.flush)
    await driver.until('E')
    driver.front.end()
    await rest()
    expect(backend.goodbye).toBe('I')
    expect(Buffer.concat(peer.writes).toString('latin1')).not.toContain('s1')
  })

  it('Upstream.close rolls back behind an error that waits for its Sync', async () => {
    const { wire, driver, backend } = await served(client.beginAtOnce)
    await driver.until('ZT')
    driver.write(client.extended('fail'), client.flush)
    await driver.until('E')
    void wire.upstream.close(over)
    await rest()
    expect(backend.statements).toEqual(['begin at once', 'fail', 'rollback'])
    expect(backend.goodbye).toBe('I')
  })
})

describe('Upstream.close of a flight that is the server’s turn', () => {
  it('Upstream.close waits for the answer to a question, and asks for no more', async () => {
    const { wire, peer } = await waiting(client.parse('x'), client.describeStatement, client.flush)
    void wire.upstream.close(over)
    await rest()
    expect(peer.unread).toBe('')
    peer.send(server.parseComplete, server.parameterDescription(1), server.noData, server.ready())
    await arrived(peer, 'X')
    await rest()
    expect(peer.ended).toBe('closed')
  })

  it('Upstream.close ends a batch of a cursor that is being answered with a Sync', async () => {
    const { wire, peer } = await waiting(client.parse('x'), client.bind(), someRows, client.flush)
    void wire.upstream.close(over)
    peer.send(server.parseComplete, server.bindComplete, server.dataRow('1'))
    peer.send(server.portalSuspended)
    await arrived(peer, 'S')
    peer.send(server.ready())
    await arrived(peer, 'X')
  })

  it('Upstream.close ends a COPY that begins only then', async () => {
    const { wire, peer } = await waiting(client.query('copy t from stdin'))
    void wire.upstream.close(over)
    await rest()
    expect(peer.unread).toBe('')
    peer.send(server.copyInResponse)
    await arrived(peer, 'f')
    peer.send(server.errorMessage('ERROR', '57014', 'COPY from stdin failed'), server.ready())
    await arrived(peer, 'X')
  })

  it('Upstream.close does not end twice a COPY whose rows are complete', async () => {
    const { wire, driver, peer } = await waiting(client.query('copy t from stdin'))
    peer.send(server.copyInResponse)
    await driver.until('G')
    driver.write(copyData, client.message('c'))
    await peer.expect('d', 'c')
    void wire.upstream.close(over)
    await rest()
    expect(peer.unread).toBe('')
    peer.send(server.commandComplete('COPY 1'), server.ready())
    await arrived(peer, 'X')
  })

  it('Upstream.close reads on where the driver has stopped the reading', async () => {
    const { wire, driver, peer } = await waiting(client.query('copy t to stdout'))
    peer.send(server.copyOutResponse)
    await driver.until('H')
    driver.front.pause()
    peer.send(server.copyData('1\n'))
    await rest()
    void wire.upstream.close(over)
    peer.send(server.copyData('2\n'), server.copyDone)
    peer.send(server.commandComplete('COPY 2'), server.ready())
    await rest()
    expect(peer.unread).toBe('X')
    expect(peer.ended).toBe('closed')
  })
})
