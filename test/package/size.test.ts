import { expect, it } from 'vitest'
import { dryRun } from '../support/worker-bundle.ts'
import { bundledBytes, bundledText } from './built.ts'

const KB = 1024

it('the middleware with postgres.js fits into 68 KB of a Worker, Hono not counted', async () => {
  const bytes = await bundledBytes("export { nullpool } from './dist/hono.js'", ['hono', 'hono/*'])
  expect(bytes).toBeLessThanOrEqual(68 * KB)
})

it('the adapter for Neon’s driver adds 3 KB to the middleware at the most, the driver not counted', async () => {
  const external = ['hono', 'hono/*', 'postgres', '@neondatabase/serverless']
  const middleware = "export { nullpool } from './dist/hono.js'"
  const both = `${middleware}; export * from './dist/neon.js'`
  const without = await bundledBytes(middleware, external)
  expect((await bundledBytes(both, external)) - without).toBeLessThanOrEqual(3 * KB)
})

it('the wire alone fits into 25 KB', async () => {
  const bytes = await bundledBytes(
    "export { Front } from './dist/wire/front.js'; export { Upstream } from './dist/wire/upstream.js'",
  )
  expect(bytes).toBeLessThanOrEqual(25 * KB)
})

it('the driver for edge-light, postgres.js and what it takes of Node inside, fits into 32 KB', async () => {
  const bytes = await bundledBytes("export * from './dist/drivers/postgres.edge-light.js'")
  expect(bytes).toBeLessThanOrEqual(32 * KB)
})

it('the middleware for edge-light fits into 80 KB, Hono not counted', async () => {
  const source = "export { nullpool } from './dist/hono.js'"
  const bytes = await bundledBytes(source, ['hono', 'hono/*'], ['edge-light', 'worker', 'import'])
  expect(bytes).toBeLessThanOrEqual(80 * KB)
})

it('the WebSocket transport costs those nothing who do not use it', async () => {
  const without = "import { createDatabase } from './dist/index.js'; createDatabase()"
  const text = await bundledText(without)
  expect(text).not.toMatch(/new WebSocket|binaryType/)
  const using = "import { webSocketTransport } from './dist/index.js'; webSocketTransport()"
  expect(await bundledText(using)).toMatch(/new WebSocket/)
})

it.each([
  // Hono, nullpool and postgres.js, not minified.
  ['examples/everywhere/handler.ts', 123],
  // The same with zod, which is most of it.
  ['examples/cloudflare-workers/src/index.ts', 245],
  // With tunnels, `/sql` and the ranges of addresses that are not public.
  ['examples/gateway/src/index.ts', 144],
])('%s is uploaded in %d KB, as Wrangler compresses it', async (entry, limit) => {
  const { gzipBytes } = await dryRun(entry)
  expect(gzipBytes).toBeLessThanOrEqual(limit * KB)
})

it('the gateway with postgres.js fits into 81 KB of a Worker, Hono not counted', async () => {
  const bytes = await bundledBytes("export { createGateway } from './dist/gateway/index.js'", [
    'hono',
    'hono/*',
  ])
  expect(bytes).toBeLessThanOrEqual(81 * KB)
})
