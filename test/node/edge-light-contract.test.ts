import type { EdgeRuntime } from 'edge-runtime'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { contractCases } from '../contract.ts'
import { bundleForEdge, startEdgeRuntime } from '../support/edge-runtime.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'
import { startWebSocketTunnel, type WebSocketTunnel } from '../support/websocket-tunnel.ts'

const { pgbouncer, postgres } = inject('servers')

/** Needs node:stream, which no Edge Runtime has; what becomes of it there is a test of its own. */
const LEFT_OUT: ReadonlySet<string> = new Set(
  contractCases().filter((name) => /cop(y|ies)/i.test(name)),
)

const names = contractCases()

describe.each([
  ['PgBouncer', pgbouncer],
  ['Postgres', postgres],
] as const)("in Vercel's Edge Runtime, through a WebSocket to %s", (_name, target) => {
  describe.skipIf(!target)('and back', () => {
    let bed: TestDatabase
    let tunnel: WebSocketTunnel
    let runtime: EdgeRuntime
    beforeAll(async () => {
      bed = await createTestDatabase()
      tunnel = await startWebSocketTunnel()
      const bundle = await bundleForEdge({ file: 'test/edge-light/contract.ts' })
      expect(bundle.imports).toEqual([])
      const env = { DATABASE_URL: bed.url(target ?? postgres), NULLPOOL_GATEWAY_URL: tunnel.url }
      runtime = startEdgeRuntime(bundle, { env })
    })
    afterAll(async () => {
      await tunnel.stop()
      await bed[Symbol.asyncDispose]()
    })

    it('holds a contract of more than thirty cases', () => {
      expect(names.filter((name) => !LEFT_OUT.has(name)).length).toBeGreaterThan(30)
    })

    it.each(names.filter((name) => !LEFT_OUT.has(name)))('%s', async (name) => {
      await runtime.evaluate<Promise<void>>(`exported.run(${JSON.stringify(name)})`)
    })

    it('COPY is refused with the way out, and the connection goes on', async () => {
      const copied = runtime.evaluate<Promise<unknown>>(`
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
        })`)
      const failure = {
        code: 'ERR_RUNTIME_UNSUPPORTED',
        hint: expect.stringContaining('cursor(n)'),
      }
      expect(await copied).toMatchObject({ failures: [failure, failure], rows: [{ n: 1 }] })
    })

    it('no WebSocket outlives its request', async () => {
      await expect.poll(() => tunnel.open).toBe(0)
    })
  })
})
