import { describe, expect, it } from 'vitest'
import { NullpoolError } from '../../../src/errors.ts'
import { Tunnel } from '../../../src/gateway/tunnel.ts'
import type { Connection } from '../../../src/wire/transport.ts'

const LIMITS = {
  ...{ maxMessageBytes: 1_000_000, maxBufferedBytes: 4_000_000 },
  ...{ idleTimeoutMs: 60_000, partingTimeoutMs: 60_000 },
}

/** A tunnel between ends that take everything, and what each of them was given. */
function open(limits: Partial<typeof LIMITS> = {}, refuseClear?: NullpoolError) {
  const [written, closes]: [number[][], number[]] = [[], []]
  const peer = {
    bufferedBytes: 0,
    send: () => undefined,
    close: (status: number) => void closes.push(status),
    destroy: () => undefined,
    pause: () => false,
  }
  const connection = {
    read: () => new Promise<undefined>(() => undefined),
    write: async (bytes: Uint8Array) => void written.push([...bytes]),
    close: async () => undefined,
    destroy: () => undefined,
  } as unknown as Connection
  const tunnel = new Tunnel(peer, { ...LIMITS, ...limits }, { refuseClear })
  return { tunnel, connection, written, closes }
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

describe('a tunnel', () => {
  it('writes small messages together, and empty ones not at all', async () => {
    const { tunnel, connection, written } = open()
    for (const byte of [1, 2, 3]) {
      tunnel.message(new Uint8Array([byte]))
      tunnel.message('')
    }
    tunnel.message(new Uint8Array(70_000))
    tunnel.open(connection)
    await settled()
    expect(written.map(({ length }) => length)).toEqual([3, 70_000])
    tunnel.closed(false)
    expect(await tunnel.ended).toMatchObject({ bytesToServer: 70_003 })
  })

  it('is idle while its client sends empty messages', async () => {
    const { tunnel, connection, closes } = open({ idleTimeoutMs: 60 })
    tunnel.open(connection)
    const sending = setInterval(() => tunnel.message(new Uint8Array()), 10)
    expect(await tunnel.ended).toMatchObject({ status: 4408 })
    clearInterval(sending)
    expect(closes).toEqual([4408])
  })

  it('counts what keeping a message costs', () => {
    const { tunnel, closes } = open({ maxBufferedBytes: 1_000 })
    for (let sent = 0; sent < 10; sent++) tunnel.message(new Uint8Array([0]))
    expect(closes).toEqual([1013])
  })

  it.each([
    ['takes no bytes', 'write'],
    ['does not hang up', 'close'],
  ])('leaves a server that %s, once its client has said goodbye', async (_what, never) => {
    const { tunnel, connection } = open({ partingTimeoutMs: 30 })
    let isDestroyed = false
    const destroy = (): void => {
      isDestroyed = true
    }
    const stuck = { ...connection, destroy, [never]: () => new Promise(() => undefined) }
    tunnel.open(stuck as Connection)
    tunnel.message(new Uint8Array([1]))
    await settled()
    tunnel.closed(true)
    await tunnel.ended
    expect(isDestroyed).toBe(true)
  })

  it('finds a request for TLS in bytes that come one by one', async () => {
    const sslRequest = [0, 0, 0, 8, 4, 210, 22, 47]
    const refusal = new NullpoolError('ERR_TLS_REQUIRED', 'In clear.')
    const { tunnel, connection, written, closes } = open({}, refusal)
    tunnel.open(connection)
    for (const byte of sslRequest.slice(0, 7)) tunnel.message(new Uint8Array([byte]))
    await settled()
    expect(written).toEqual([])
    tunnel.message(new Uint8Array([47, 9]))
    await settled()
    expect(written).toEqual([[...sslRequest, 9]])
    expect(closes).toEqual([])
    tunnel.closed(false)
  })
})
