import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type MemoryDriver, type MemoryWire, memoryWire } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

const LIMIT = 3_000
const CLOSE_LIMIT = 100
const someRows = client.message('E', Buffer.from([0, 0, 0, 0, 2]))

interface Stage {
  wire: MemoryWire
  driver: MemoryDriver
  peer: MemoryPeer
}

async function stage(...messages: Buffer[]): Promise<Stage> {
  const wire = memoryWire({ queryTimeoutMs: LIMIT, closeTimeoutMs: CLOSE_LIMIT })
  const driver = await wire.driver()
  driver.write(...messages)
  const peer = await wire.login()
  while ((await peer.next()).tag !== String.fromCharCode(messages.at(-1)?.[0] ?? 0));
  await rest()
  return { wire, driver, peer }
}

async function stageCursor(): Promise<Stage> {
  const made = await stage(client.parse('x'), client.bind(), someRows, client.flush)
  made.peer.send(server.parseComplete, server.bindComplete, server.portalSuspended)
  await made.driver.until('s')
  return made
}

async function stageCopyIn(): Promise<Stage> {
  const made = await stage(client.query('copy t from stdin'))
  made.peer.send(server.copyInResponse)
  await made.driver.until('G')
  return made
}

async function stageCopyOut(): Promise<Stage> {
  const made = await stage(client.query('copy t to stdout'))
  made.peer.send(server.copyOutResponse)
  await made.driver.until('H')
  made.driver.front.pause()
  // What was being read when the driver paused still comes.
  made.peer.send(server.copyData('1\n'))
  await made.driver.until('d')
  return made
}

const IDLE: readonly [string, () => Promise<Stage>, string][] = [
  ['a cursor between two batches', stageCursor, 'S'],
  ['a COPY from the client', stageCopyIn, 'f'],
]

describe('a stream with which nobody goes on', () => {
  it.each(IDLE)('Session ends %s in time, in peace', async (_what, begin, ending) => {
    const { wire, driver, peer } = await begin()
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    expect(driver.unread).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(await driver.until('Z')).toEqual(['error ERR_STREAM_IDLE', 'ZI'])
    await peer.expect(ending)
    peer.send(server.commandComplete('x'), server.ready())
    await peer.expect('X')
    await rest()
    expect(peer.ended).toBe('closed')
    expect(wire.events.at(-1)).toBe('closed ERR_STREAM_IDLE')
    driver.write(client.query('select 1'))
    expect(await driver.until('Z')).toEqual(['error ERR_STREAM_IDLE', 'ZI'])
    expect(wire.server.peers).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('Session ends a COPY to the client whose reader has left, and reads the rest of it', async () => {
    const { driver, peer } = await stageCopyOut()
    await vi.advanceTimersByTimeAsync(LIMIT)
    expect(await driver.until('Z')).toEqual(['error ERR_STREAM_IDLE', 'ZI'])
    peer.send(server.copyData('2\n'), server.copyDone, server.commandComplete('COPY 2'))
    peer.send(server.ready())
    await peer.expect('X')
    await rest()
    expect(peer.ended).toBe('closed')
  })

  it('Session begins the wait anew with everything that the driver says', async () => {
    const cursor = await stageCursor()
    const copy = await stageCopyIn()
    for (let times = 0; times < 5; times++) {
      await vi.advanceTimersByTimeAsync(LIMIT - 1)
      cursor.driver.write(someRows, client.flush)
      copy.driver.write(client.message('d', Buffer.from('1\n')))
      await cursor.peer.expect('E')
      await cursor.peer.expect('H')
      await copy.peer.expect('d')
      cursor.peer.send(server.portalSuspended)
      await cursor.driver.until('s')
    }
    expect(cursor.driver.errors).toEqual([])
    expect(copy.driver.errors).toEqual([])
  })

  it('Session begins the wait anew when the driver wants bytes again', async () => {
    const { driver, peer } = await stageCopyOut()
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    driver.front.resume()
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    driver.front.pause()
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    expect(driver.errors).toEqual([])
    expect(peer.ended).toBeUndefined()
  })

  it('Session counts nothing against a driver whose next word follows at once', async () => {
    const { driver, peer } = await stage(client.parse('x'), client.bind(), client.flush)
    peer.send(server.parseComplete, server.bindComplete)
    await driver.until('2')
    driver.write(client.execute, client.sync)
    await peer.expect('E')
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    expect(driver.errors).toEqual([])
  })

  it.each([...IDLE, ['a COPY to the client', stageCopyOut, ''] as const])(
    'Upstream.hurry shortens the wait for %s to closeTimeoutMs',
    async (_what, begin) => {
      const { wire, driver } = await begin()
      wire.upstream.hurry()
      await vi.advanceTimersByTimeAsync(CLOSE_LIMIT - 1)
      expect(driver.errors).toEqual([])
      await vi.advanceTimersByTimeAsync(1)
      await driver.until('error ERR_STREAM_IDLE')
    },
  )

  it('Upstream.hurry does not hurry the server', async () => {
    const { wire, driver } = await stage(client.query('select pg_sleep(2)'))
    wire.upstream.hurry()
    await vi.advanceTimersByTimeAsync(LIMIT - 1)
    expect(driver.errors).toEqual([])
  })

  it('Upstream.hurry holds for a connection that is opened later', async () => {
    const wire = memoryWire({ queryTimeoutMs: LIMIT, closeTimeoutMs: CLOSE_LIMIT })
    wire.upstream.hurry()
    const driver = await wire.driver()
    driver.write(client.query('copy t from stdin'))
    const peer = await wire.login()
    peer.send(server.copyInResponse)
    await driver.until('G')
    await vi.advanceTimersByTimeAsync(CLOSE_LIMIT)
    await driver.until('error ERR_STREAM_IDLE')
  })
})
