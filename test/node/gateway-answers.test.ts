import { connect, type Socket } from 'node:net'
import { neon, neonConfig } from '@neondatabase/serverless'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { RUNTIMES, type RunningGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')

/** More than the kernels take of a client that does not read. */
const LARGE = 15_000_000

describe.each(RUNTIMES)('an answer of /sql on %s', (_name, start) => {
  let bed: TestDatabase
  let gateway: RunningGateway
  const sockets: Socket[] = []
  beforeAll(async () => {
    bed = await createTestDatabase()
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await gateway?.[Symbol.asyncDispose]()
  })
  afterAll(() => bed?.[Symbol.asyncDispose]())

  async function begin(idleTimeoutMs: number): Promise<void> {
    const targets = [`${postgres.host}:${postgres.port}`]
    gateway = await start({ targets, maxConnections: 2, idleTimeoutMs })
    neonConfig.fetchEndpoint = `http://${gateway.host}/sql`
  }

  function sql(): ReturnType<typeof neon> {
    return neon(bed.url(postgres), { authToken: TOKEN })
  }

  /** Asks for a text, and reads no more than the beginning of the answer. */
  async function askAndStop(length: number): Promise<Socket> {
    const [host, port] = gateway.host.split(':')
    const socket = connect(Number(port), host).on('error', () => undefined)
    sockets.push(socket)
    const body = JSON.stringify({ query: `select repeat('x', ${length}) as x` })
    socket.write(
      `POST /sql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\n` +
        `neon-connection-string: ${bed.url(postgres)}\r\n` +
        `content-length: ${body.length}\r\n\r\n${body}`,
    )
    const head = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
    socket.pause()
    expect(head.toString('latin1')).toMatch(/^HTTP\/1\.1 200 /)
    return socket
  }

  const one = (): Promise<unknown> => sql()`select 1 as one`.catch(String)

  it('counts for as long as its client does not read it', async () => {
    await begin(60_000)
    const [first] = [await askAndStop(LARGE), await askAndStop(LARGE)]
    expect(await one()).toContain('ERR_GATEWAY_LIMIT')
    let received = 0
    first?.on('data', ({ length }) => {
      received += length
    })
    first?.resume()
    await expect.poll(() => received).toBeGreaterThan(LARGE - 65_536)
    await expect.poll(one).toEqual([{ one: 1 }])
  })

  it('counts no longer once its client has gone', async () => {
    await begin(60_000)
    for (const socket of [await askAndStop(LARGE), await askAndStop(LARGE)]) socket.destroy()
    await expect.poll(one).toEqual([{ one: 1 }])
  })

  it('is given up where its client does not read it in time', async () => {
    await begin(500)
    const waiting = [await askAndStop(LARGE), await askAndStop(LARGE)]
    await expect.poll(one).toEqual([{ one: 1 }])
    const closed = waiting.map((socket) => new Promise((resolve) => socket.once('close', resolve)))
    for (const socket of waiting) socket.resume()
    await Promise.all(closed)
    if (gateway.runtime === 'workerd') return
    expect(gateway.events).toContainEqual({
      type: 'warning',
      path: '/sql',
      target: `${postgres.host}:${postgres.port}`,
      code: 'ERR_GATEWAY_TIMEOUT',
      message: expect.stringContaining('was not read in time'),
    })
    expect(gateway.events.filter(({ type }) => type === 'query')).toHaveLength(3)
  })

  it('does not count where it is short', async () => {
    await begin(60_000)
    for (let asked = 0; asked < 5; asked++) await askAndStop(60_000)
    expect(await one()).toEqual([{ one: 1 }])
  })

  it.each([60_000, 65_536, 200_000, LARGE])(
    'of %d bytes and more arrives whole',
    async (length) => {
      await begin(60_000)
      const text = `select repeat('ž', ${length / 2}) as x`
      expect(await sql().query(text)).toEqual([{ x: 'ž'.repeat(length / 2) }])
      const response = await fetch(`http://${gateway.host}/sql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'neon-connection-string': bed.url(postgres) },
        body: JSON.stringify({ query: text }),
      })
      const announced = Number(response.headers.get('content-length'))
      expect((await response.arrayBuffer()).byteLength).toBe(announced)
      expect(announced).toBeGreaterThan(length)
    },
  )
})
