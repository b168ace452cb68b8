import type { EdgeRuntime } from 'edge-runtime'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { bundleForEdge, startEdgeRuntime } from '../support/edge-runtime.ts'
import { type RunningGateway, startNodeGateway, TOKEN } from '../support/gateway-bed.ts'
import { DONE } from '../support/neon-work.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('Neon’s driver in Vercel’s Edge Runtime, behind the gateway', () => {
  let bed: TestDatabase
  let gateway: RunningGateway
  let runtime: EdgeRuntime
  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    const target = {
      address: `${pgbouncer.host}:${pgbouncer.port}`,
      pooler: 'pgbouncer' as const,
    }
    gateway = await startNodeGateway({ targets: [target] })
    const bundle = await bundleForEdge({ file: 'test/edge-light/neon.ts' })
    // Nothing of Node.
    expect(bundle.imports).toEqual([])
    const env = {
      DATABASE_URL: bed.url(pgbouncer),
      NULLPOOL_GATEWAY_URL: `ws://${gateway.host}/v2`,
      NULLPOOL_GATEWAY_TOKEN: TOKEN,
      // The driver knows neither of these.
      GATEWAY: gateway.host,
      GATEWAY_TOKEN: TOKEN,
    }
    runtime = startEdgeRuntime(bundle, { env })
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  const opened = (): number => gateway.events.filter(({ type }) => type === 'open').length
  const closed = (): number => gateway.events.filter(({ type }) => type === 'close').length

  it('works on nullpool’s wire, in one tunnel, and refuses to listen with the way out', async () => {
    const before = opened()
    const refusal = {
      code: 'ERR_SESSION_STATE',
      message: expect.stringMatching(/^LISTEN needs a connection of its own/),
      hint: expect.stringContaining('5432'),
      rows: [{ n: 1 }],
    }
    expect(await runtime.evaluate('exported.onOurWire()')).toEqual({
      done: DONE,
      refusals: [refusal, refusal],
    })
    expect(opened() - before).toBe(1)
    await expect.poll(closed).toBe(opened())
  })

  it('works by itself, where the server refuses to listen, with the way out', async () => {
    expect(await runtime.evaluate('exported.byItself()')).toEqual({
      rows: [{ n: 42 }],
      tables: [{ undone: null }],
      refusal: { code: '0A000', hint: expect.stringContaining('5432') },
    })
    await expect.poll(closed).toBe(opened())
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })
})
