import { expect, it } from 'vitest'
import { dryRun } from '../support/worker-bundle.ts'
import { bundledBytes } from './built.ts'

const KB = 1024

it('the middleware with postgres.js fits into 56 KB of a Worker, Hono not counted', async () => {
  const bytes = await bundledBytes("export { nullpool } from './dist/hono.js'", ['hono', 'hono/*'])
  expect(bytes).toBeLessThanOrEqual(56 * KB)
})

it('the wire alone fits into 20 KB', async () => {
  const bytes = await bundledBytes(
    "export { Front } from './dist/wire/front.js'; export { Upstream } from './dist/wire/upstream.js'",
  )
  expect(bytes).toBeLessThanOrEqual(20 * KB)
})

it.each([
  // Hono, nullpool and postgres.js, not minified.
  ['examples/everywhere/handler.ts', 120],
  // The same with zod, which is most of it.
  ['examples/cloudflare-workers/src/index.ts', 240],
])('%s is uploaded in %d KB, as Wrangler compresses it', async (entry, limit) => {
  const { gzipBytes } = await dryRun(entry)
  expect(gzipBytes).toBeLessThanOrEqual(limit * KB)
})
