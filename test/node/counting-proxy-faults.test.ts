import { afterEach, describe, expect, it } from 'vitest'
import type { CountingProxy, CountingProxyOptions, FaultAction } from '../support/counting-proxy.ts'
import { ending, ProxiedLines, read, say } from '../support/proxied-lines.ts'

let lines: ProxiedLines
let proxy: CountingProxy

async function start(options: Partial<CountingProxyOptions> = {}): Promise<void> {
  lines = await ProxiedLines.start(options)
  proxy = lines.proxy
}

afterEach(() => lines.stop())

/** Does this to the first chunk that comes down. */
function onFirstAnswer(action: FaultAction): Partial<CountingProxyOptions> {
  return {
    faults: [
      {
        when: ({ direction, totalDown }) =>
          direction === 'down' && totalDown === 0 ? action : undefined,
      },
    ],
  }
}

describe('faults', () => {
  it.each([
    ['fin', 'end'],
    ['rst', 'ECONNRESET'],
  ] as const)('cuts before the first answer with %s', async (how, seen) => {
    await start({ faults: [{ when: () => ({ cut: how }) }] })
    const { client, server } = await lines.open()
    client.write('question')
    const [atClient, atServer] = await Promise.all([ending(client), ending(server)])
    expect(atClient).toBe(seen)
    // To the server the client is gone too, and the question never came.
    expect(atServer).toBe(seen)
    expect(server.bytesRead).toBe(0)
    expect(proxy.connections[0]?.closedBy).toBe('proxy')
  })

  it.each([
    ['fin', 'end'],
    ['rst', 'ECONNRESET'],
  ] as const)('truncates an answer, then %s', async (how, seen) => {
    await start(onFirstAnswer({ truncate: 4, andThen: how }))
    const { client, server } = await lines.open()
    await say(client, server, 'question')
    server.write('answer')
    expect((await read(client, 4)).join('')).toBe('answ')
    expect(await ending(client)).toBe(seen)
    expect(client.bytesRead).toBe(4)
  })

  it('truncates an answer, then is silent until it resumes', async () => {
    await start(onFirstAnswer({ truncate: 4, andThen: 'stall' }))
    const { client, server } = await lines.open()
    await say(client, server, 'question')
    server.write('answer')
    expect((await read(client, 4)).join('')).toBe('answ')
    // The other direction goes on.
    await say(client, server, 'hello?')
    server.end(' and more')
    await proxy.until(({ connections }) => connections[0]?.closedBy === 'server-fin')
    expect(client.bytesRead).toBe(4)
    proxy.resume()
    expect((await read(client, 11)).join('')).toBe('er and more')
    expect(await ending(client)).toBe('end')
  })

  it('stalls one direction by a fault', async () => {
    await start({
      faults: [
        { when: ({ direction, turn }) => (direction === 'up' && turn === 2 ? 'stall' : undefined) },
      ],
    })
    const { client, server } = await lines.open()
    await say(client, server, 'one')
    await say(server, client, 'answer')
    client.write('two')
    await proxy.until(({ turns }) => turns === 2)
    await say(server, client, 'unasked')
    expect(server.bytesRead).toBe(3)
    expect(proxy.connections[0]?.closedBy).toBeUndefined()
  })

  it('stalls everything on demand, and resumes', async () => {
    await start()
    const { client, server } = await lines.open()
    await say(client, server, 'one')
    proxy.stall()
    client.write('two')
    server.write('answer')
    await proxy.until(({ connections: [line] }) => line?.bytesUp === 6 && line.bytesDown === 6)
    expect([client.bytesRead, server.bytesRead]).toEqual([0, 3])
    proxy.resume()
    expect((await read(client, 6)).join('')).toBe('answer')
    expect((await read(server, 3)).join('')).toBe('two')
  })

  it('lets go of a stalled connection when the client resets', async () => {
    await start()
    const { client, server } = await lines.open()
    await say(client, server, 'one')
    proxy.stall()
    client.resetAndDestroy()
    await proxy.until(({ connections }) => connections[0]?.open === false)
    expect(proxy.connections[0]?.closedBy).toBe('client-rst')
  })

  it.each(['fin', 'rst'] as const)('cuts all with %s on demand', async (how) => {
    await start()
    const both = [await lines.open(), await lines.open()]
    for (const { client, server } of both) await say(client, server, 'a')
    const seen = Promise.all(both.map(({ client }) => ending(client)))
    proxy.cutAll(how)
    expect(await seen).toEqual(how === 'fin' ? ['end', 'end'] : ['ECONNRESET', 'ECONNRESET'])
  })

  it('splits into pieces that arrive one by one', async () => {
    await start(onFirstAnswer({ split: 3 }))
    const { client, server } = await lines.open()
    server.write('abcdefgh')
    expect(await read(client, 8)).toEqual(['abc', 'def', 'gh'])
  })

  it('merges by count', async () => {
    await start(onFirstAnswer({ merge: 3 }))
    const { client, server } = await lines.open()
    for (const [index, text] of ['a', 'b', 'c'].entries()) {
      server.write(text)
      await proxy.until(({ connections }) => connections[0]?.bytesDown === index + 1)
    }
    expect(await read(client, 3)).toEqual(['abc'])
    // Only the first chunk was told to wait for others.
    await say(server, client, 'd')
  })

  it('delivers what it holds when nothing more can come', async () => {
    await start(onFirstAnswer({ merge: 2 }))
    const { client, server } = await lines.open()
    server.end('alone')
    expect(await read(client, 5)).toEqual(['alone'])
    expect(await ending(client)).toBe('end')
  })

  it('replaces', async () => {
    await start(onFirstAnswer({ replace: Buffer.from('garbage') }))
    const { client, server } = await lines.open()
    server.write('answer')
    expect(await read(client, 7)).toEqual(['garbage'])
  })

  it('tells a fault where it is', async () => {
    const seen: unknown[] = []
    await start()
    await lines.open()
    const { client, server } = await lines.open()
    const remove = proxy.inject({
      when({ bytes, ...event }) {
        seen.push({ ...event, text: String(bytes) })
        return undefined
      },
    })
    await say(client, server, 'one')
    await say(server, client, 'answer')
    await say(client, server, 'two')
    remove()
    await say(server, client, 'unseen')
    expect(seen).toEqual([
      { connection: 1, direction: 'up', turn: 1, totalUp: 0, totalDown: 0, text: 'one' },
      { connection: 1, direction: 'down', turn: 1, totalUp: 3, totalDown: 0, text: 'answer' },
      { connection: 1, direction: 'up', turn: 2, totalUp: 3, totalDown: 6, text: 'two' },
    ])
  })
})
