import type { EdgeRuntime } from 'edge-runtime'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { contractCases } from '../contract.ts'
import { contractTitle, refusedIn } from '../support/contract-title.ts'
import { bundleForEdge, startEdgeRuntime } from '../support/edge-runtime.ts'
import { type RunningGateway, startNodeGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

const WAYS = [
  ['through PgBouncer', pgbouncer],
  ['on Postgres itself', postgres],
] as const

describe.each(WAYS)('Vercel Edge behind the gateway, %s', (way, at) => {
  describe.skipIf(!at)('and back', () => {
    const target = at ?? postgres
    let bed: TestDatabase
    let gateway: RunningGateway
    let runtime: EdgeRuntime
    beforeAll(async () => {
      bed = await createTestDatabase()
      gateway = await startNodeGateway({ targets: [`${target.host}:${target.port}`] })
      const bundle = await bundleForEdge({ file: 'test/edge-light/contract.ts' })
      expect(bundle.imports).toEqual([])
      const env = {
        DATABASE_URL: bed.url(target),
        NULLPOOL_GATEWAY_URL: `ws://${gateway.host}/v2`,
        NULLPOOL_GATEWAY_TOKEN: TOKEN,
      }
      runtime = startEdgeRuntime(bundle, { env })
    })
    afterAll(async () => {
      await gateway?.[Symbol.asyncDispose]()
      await bed?.[Symbol.asyncDispose]()
    })

    describe(contractTitle('Vercel Edge', way), () => {
      const names = contractCases()
      it.each(names.filter((name) => !refusedIn('Vercel Edge', name)))('%s', async (name) => {
        await runtime.evaluate<Promise<void>>(`exported.run(${JSON.stringify(name)})`)
      })

      // Counted as refused: what is shown is the refusal, and that the connection goes on.
      it('streams: sql copies in and out', async () => {
        const copied = runtime.evaluate<Promise<unknown>>(COPYING)
        const refusal = {
          code: 'ERR_RUNTIME_UNSUPPORTED',
          hint: expect.stringContaining('cursor(n)'),
        }
        expect(await copied).toMatchObject({ failures: [refusal, refusal], rows: [{ n: 1 }] })
      })
    })

    it('no tunnel outlives its request, and all of them were the gateway’s', async () => {
      const count = (type: string): number =>
        gateway.events.filter((event) => event.type === type).length
      expect(count('open')).toBeGreaterThan(30)
      await expect.poll(() => count('close')).toBe(count('open'))
      expect(count('refused')).toBe(0)
    })
  })
})

/** Both directions, each in a transaction of its own. */
const COPYING = `
  exported.database().run({}, async ({ sql }) => {
    const failures = []
    for (const way of ['stdin', 'stdout']) {
      const copying = sql.begin(async (tx) => {
        await tx\`create temporary table copied (n int) on commit drop\`
        await tx\`insert into copied select generate_series(1, 1000)\`
        const copy = tx.unsafe(way === 'stdin' ? 'copy copied from stdin' : 'copy copied to stdout')
        await (way === 'stdin' ? copy.writable() : copy.readable())
      })
      failures.push(await copying.catch(({ code, hint }) => ({ code, hint })))
    }
    return { failures, rows: await sql\`select \${1}::int as n\` }
  })`
