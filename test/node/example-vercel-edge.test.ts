import { readFile } from 'node:fs/promises'
import type { EdgeRuntime } from 'edge-runtime'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { bundleForEdge, startEdgeRuntime } from '../support/edge-runtime.ts'
import { type RunningGateway, startNodeGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

const CONTEXT = Symbol.for('@vercel/request-context')

/** The function as Vercel calls it: with a Request, and what else it passes. */
type Call = (path: string) => Promise<Response>

describe.skipIf(!pgbouncer)('the example for Vercel', () => {
  let bed: TestDatabase
  let gateway: RunningGateway
  let runtime: EdgeRuntime
  const background: Promise<unknown>[] = []
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql.unsafe(await readFile('examples/cloudflare-workers/seed.sql', 'utf8'))
    const { host, port } = pgbouncer ?? postgres
    gateway = await startNodeGateway({ targets: [`${host}:${port}`] })
    runtime = startEdgeRuntime(await bundleForEdge({ file: 'examples/vercel-edge/api/edge.ts' }), {
      env: {
        DATABASE_URL: bed.url(pgbouncer ?? postgres),
        NULLPOOL_GATEWAY_URL: `ws://${gateway.host}/v2`,
        NULLPOOL_GATEWAY_TOKEN: TOKEN,
      },
      waitUntil: (promise) => background.push(promise),
    })
    runtime.evaluate(`
      addEventListener('fetch', (event) => event.respondWith(exported.default(event.request)))`)
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  const edge: Call = async (path) =>
    (await runtime.dispatchFetch(`https://books.example${path}`)) as unknown as Response

  async function serves(call: Call): Promise<void> {
    const list = (await (await call('/books')).json()) as { title: string }[]
    expect(list).toHaveLength(20)
    expect(await (await call('/books/1')).json()).toMatchObject({ id: '1' })
    expect((await call('/books/999999')).status).toBe(404)
    expect((await call(`/books/${'9'.repeat(30)}`)).status).toBe(404)
  }

  it('says that it is for the Edge Runtime', () => {
    expect(runtime.evaluate('exported.config')).toEqual({ runtime: 'edge' })
  })

  it('lists books and finds one, in the Edge Runtime', () => serves(edge))

  it('each request has a tunnel of its own, which the platform is asked to wait for', async () => {
    await Promise.all(background.splice(0))
    const count = (type: string): number =>
      gateway.events.filter((event) => event.type === type).length
    const before = count('open')
    await Promise.all([edge('/books'), edge('/books/1'), edge('/books/2')])
    expect(count('open') - before).toBe(3)
    expect(background).toHaveLength(3)
    await Promise.all(background.splice(0))
    await expect.poll(() => count('close')).toBe(count('open'))
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })

  it('serves the same app unchanged on Node, where the platform waits too', async () => {
    const url = process.env.DATABASE_URL
    process.env.DATABASE_URL = bed.url(pgbouncer ?? postgres)
    const waited: Promise<unknown>[] = []
    const waitUntil = (promise: Promise<unknown>) => waited.push(promise)
    Object.assign(globalThis, { [CONTEXT]: { get: () => ({ waitUntil }) } })
    try {
      const { default: node } = await import('../../examples/vercel-edge/api/node.ts')
      await serves(async (path) => node.fetch(new Request(`https://books.example${path}`)))
      expect(waited).toHaveLength(3)
      await Promise.all(waited)
      await expect.poll(() => bed.pooledClients()).toBe(0)
    } finally {
      Reflect.deleteProperty(globalThis, CONTEXT)
      if (url === undefined) delete process.env.DATABASE_URL
      else process.env.DATABASE_URL = url
    }
  })

  it('vercel.json sends every path to a function that exists', async () => {
    const { rewrites } = JSON.parse(await readFile('examples/vercel-edge/vercel.json', 'utf8'))
    expect(rewrites).toEqual([{ source: '/(.*)', destination: '/api/node' }])
    await readFile('examples/vercel-edge/api/node.ts')
  })
})
