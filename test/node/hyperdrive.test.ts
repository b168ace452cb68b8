import { createDatabase } from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { type RunningWorker, runWorker } from '../support/run-worker.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const WORKER = 'test/support/hyperdrive-worker.ts'

let bed: TestDatabase
let other: TestDatabase
let proxy: CountingProxy
const workers: RunningWorker[] = []

beforeAll(async () => {
  bed = await createTestDatabase()
  other = await createTestDatabase()
  proxy = await startCountingProxy({ target: bed.servers.postgres, record: true })
})
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker[Symbol.asyncDispose]()
  await proxy.until(({ connections }) => connections.every(({ open }) => !open))
  proxy.reset()
})
afterAll(async () => {
  await proxy.stop()
  await bed[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
})

/** Each case starts Workers, which takes its time where others do so too. */
const SLOW = { timeout: 120_000 }

/** Asks a Worker with these Hyperdrive bindings for a path. */
async function ask(path: string, hyperdrives: Record<string, string>): Promise<unknown> {
  const worker = await runWorker(WORKER, { DATABASE_URL: 'postgres://a:b@nowhere/c' }, hyperdrives)
  workers.push(worker)
  return (await fetch(worker.at(path))).json()
}

describe('with a Hyperdrive binding in workerd', SLOW, () => {
  it('asks for no TLS, gives no advice and goes through the binding', async () => {
    expect(await ask('/look', { HYPERDRIVE: bed.url(proxy) })).toEqual({
      database: bed.name,
      hosts: [expect.stringMatching(/^[0-9a-f]{32}\.hyperdrive\.local$/)],
      warnings: [],
    })
    const [first] = proxy.connections[0]?.transcript ?? []
    expect(first?.direction).toBe('up')
    // Version 3.0 of the protocol, where a wish for TLS has 1234.5679.
    expect([...(first?.bytes.subarray(4, 8) ?? [])]).toEqual([0, 3, 0, 0])
    expect(await ask('/tls', { HYPERDRIVE: bed.url(proxy) })).toBe('ERR_OPTIONS')
  })

  it('costs the login and two trips at first, one from then on, n + 1 a transaction', async () => {
    const trips = await ask('/trips', { HYPERDRIVE: bed.url(proxy) })
    // TCP, start-up and two for the password, which Cloudflare's own Hyperdrive does not ask for; then
    // what the statement takes, and its rows.
    expect(trips).toEqual([4 + 2, 1, 3])
    // The proxy sees no handshake of TCP, and sees the goodbye as a turn of its own.
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    expect(proxy.turns).toBe(5 + 1 + 3 + 1)
  })

  it('takes the one called HYPERDRIVE, else the first by its name, and says so', async () => {
    const [mine, theirs] = [bed.url(proxy), other.url(bed.servers.postgres)]
    expect(await ask('/look', { A: theirs, HYPERDRIVE: mine, B: theirs })).toMatchObject({
      database: bed.name,
      warnings: [],
    })
    expect(await ask('/look', { B: mine, A: theirs })).toMatchObject({
      database: other.name,
      warnings: ['hyperdrive-ambiguous'],
    })
    expect(await ask('/named/B', { B: mine, A: theirs })).toEqual({ database: bed.name })
    const mysql = 'mysql://a:b@127.0.0.1:1/c'
    expect(await ask('/look', { A: mysql, B: mine })).toMatchObject({
      database: bed.name,
      warnings: [],
    })
  })

  it('refuses claims before anything is sent, unless its cache is known to be off', async () => {
    expect(await ask('/claims', { HYPERDRIVE: bed.url(proxy) })).toEqual({
      code: 'ERR_CLAIMS',
      hint: expect.stringContaining('--caching-disabled'),
    })
    expect(proxy.connections).toHaveLength(0)
    expect(await ask('/claims?caching=off', { HYPERDRIVE: bed.url(proxy) })).toEqual({
      sub: 'somebody',
      role: 'pg_monitor',
    })
  })

  it('refuses what would stay in the session', async () => {
    expect(await ask('/session', { HYPERDRIVE: bed.url(proxy) })).toBe('ERR_SESSION_STATE')
  })
})

it('closing behind Hyperdrive does not wait for the other side', async () => {
  const url = bed.url(proxy)
  const scope = createDatabase({ url, pooler: 'hyperdrive', closeTimeoutMs: 600_000 }).scope()
  await scope.sql`select 1`
  // Whatever the server does from now on never arrives.
  proxy.stall('down')
  await scope.close()
  await proxy.until(({ connections }) => connections.every(({ bytesUp }) => bytesUp > 0))
  proxy.resume()
})
