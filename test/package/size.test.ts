import { expect, it } from 'vitest'
import { bundledBytes } from './built.ts'

const KB = 1024

it('the middleware with postgres.js fits into 58 KB of a Worker, Hono not counted', async () => {
  const bytes = await bundledBytes("export { nullpool } from './dist/hono.js'", ['hono', 'hono/*'])
  expect(bytes).toBeLessThanOrEqual(58 * KB)
})

it('the wire alone fits into 22 KB', async () => {
  const bytes = await bundledBytes(
    "export { Front } from './dist/wire/front.js'; export { Upstream } from './dist/wire/upstream.js'",
  )
  expect(bytes).toBeLessThanOrEqual(22 * KB)
})
