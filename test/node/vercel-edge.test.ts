import type { EdgeRuntime } from 'edge-runtime'
import type { NullpoolError } from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../../src/cli/postgres-server.ts'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { bundleForEdge, type EdgeBundle, startEdgeRuntime } from '../support/edge-runtime.ts'
import { type RunningGateway, startNodeGateway, TOKEN } from '../support/gateway-bed.ts'
import { databaseUrl } from '../support/servers.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'
import { trustWebSockets } from '../support/trusting-websocket.ts'
import { startWebSocketTunnel } from '../support/websocket-tunnel.ts'

const { pgbouncer, postgres, ca, certificateFiles } = inject('servers')

const NEON = { host: 'ep-cool-name-1-pooler.eu-central-1.aws.neon.tech', port: 5432 }

/** What a case says of its end, whatever that was. */
type Told = Pick<NullpoolError, 'code' | 'hint' | 'message' | 'retryable'>

describe.skipIf(!pgbouncer)("nullpool in Vercel's Edge Runtime", () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  let gateway: RunningGateway
  let bundle: EdgeBundle
  /** Asks for the password in clear, as Neon does on its own route. */
  let asking: PostgresServer
  beforeAll(async () => {
    asking = await startPostgres({ authMethod: 'password' })
    bed = await createTestDatabase()
    proxy = await startCountingProxy({ target: pgbouncer ?? postgres })
    gateway = await startNodeGateway({ targets: [`${proxy.host}:${proxy.port}`] })
    bundle = await bundleForEdge({
      contents: "export { createDatabase, webSocketTransport } from './dist/index.js'",
    })
  })
  afterEach(async () => {
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    proxy.reset()
  })
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]()
    await proxy.stop()
    await asking.stop()
    await bed[Symbol.asyncDispose]()
  })

  const start = (env: Record<string, string>): EdgeRuntime =>
    startEdgeRuntime(bundle, { env: { DATABASE_URL: bed.url(proxy), ...env } })

  const throughGateway = (): Record<string, string> => ({
    NULLPOOL_GATEWAY_URL: `ws://${gateway.host}/v2`,
    NULLPOOL_GATEWAY_TOKEN: TOKEN,
  })

  const failure = (runtime: EdgeRuntime, options = '{}'): Promise<Told> =>
    runtime.evaluate<Promise<Told>>(`
      exported.createDatabase(${options}).run({}, ({ sql }) => sql\`select 1\`).then(
        () => { throw new Error('It did not fail.') },
        ({ code, hint, message, retryable }) => ({ code, hint, message, retryable }),
      )`)

  it('without a gateway says exactly what to do', async () => {
    const told = await failure(start({}))
    expect(told).toMatchObject({ code: 'ERR_RUNTIME_UNSUPPORTED', retryable: false })
    for (const way of [
      'NULLPOOL_GATEWAY_URL',
      'NULLPOOL_GATEWAY_TOKEN',
      'webSocketTransport({ url, token })',
      'Node',
    ]) {
      expect(told.hint).toContain(way)
    }
  })

  it("takes Neon's hosts by Neon's own route, not through the gateway", async () => {
    const secure = await startWebSocketTunnel({ tls: certificateFiles, target: asking })
    const distrust = trustWebSockets(ca, () => secure.port)
    try {
      const neon = databaseUrl(NEON, 'postgres', asking)
      const runtime = start({ DATABASE_URL: neon, NULLPOOL_GATEWAY_URL: 'wss://no.example/v1' })
      const metrics = await runtime.evaluate<Promise<unknown>>(`
        exported.createDatabase().run({}, async (scope) => {
          await scope.sql\`select 1\`
          return scope.metrics
        })`)
      expect(metrics).toMatchObject({ connects: 1, roundTrips: 3 + 1 })
      expect(secure.upgrades).toEqual([{ path: '/v2', address: null, protocols: undefined }])
    } finally {
      distrust()
      await secure.stop()
    }
  })

  it('with another token than the gateway’s says which one to set', async () => {
    const token = TOKEN.toUpperCase()
    const told = await failure(start({ ...throughGateway(), NULLPOOL_GATEWAY_TOKEN: token }))
    expect(told).toMatchObject({ code: 'ERR_GATEWAY_TOKEN', retryable: false })
    expect(told.hint).toContain('NULLPOOL_GATEWAY_TOKEN')
    expect(told.message).not.toContain(token)
  })

  it('takes a gateway from the option, too', async () => {
    const runtime = start({})
    const rows = await runtime.evaluate<Promise<unknown>>(`
      const transport = exported.webSocketTransport(${JSON.stringify({ url: `ws://${gateway.host}/v2`, token: TOKEN })})
      exported.createDatabase({ transport }).run({}, ({ sql }) => sql\`select \${1}::int as n\`)`)
    expect(rows).toMatchObject([{ n: 1 }])
  })

  it('tls with a root of your own is refused', async () => {
    const told = await failure(start(throughGateway()), "{ tls: { ca: 'PEM' } }")
    expect(told).toMatchObject({ code: 'ERR_OPTIONS', hint: expect.stringContaining('tls.ca') })
  })

  it.each([
    ['auto', 4],
    ['pgbouncer', 2],
  ] as const)(
    'pooler %s: %i trips to the first row, behind TCP and upgrade',
    async (pooler, turns) => {
      const runtime = start(throughGateway())
      await runtime.evaluate<Promise<unknown>>(`
      exported.createDatabase().run({}, ({ sql }) => sql\`select \${1}::int as learned\`)`)
      await proxy.until(({ connections }) => connections.every(({ open }) => !open))
      proxy.reset()
      const metrics = await runtime.evaluate<Promise<unknown>>(`
      exported.createDatabase({ pooler: '${pooler}' }).run({}, async (scope) => {
        await scope.sql\`select \${2}::int as learned\`
        return scope.metrics
      })`)
      expect(metrics).toMatchObject({ connects: 1, roundTrips: 2 + turns })
    },
  )

  it('claims travel with the statement, and are gone with it', async () => {
    const runtime = start(throughGateway())
    const rows = await runtime.evaluate<Promise<unknown>>(`
      exported.createDatabase({ roles: ['pg_read_all_data'], anonymousRole: 'pg_read_all_data' }).run({}, async (scope) => {
        const { sql } = scope.as({ role: 'pg_read_all_data', sub: 'ada' })
        const [inside] = await sql\`
          select current_user::text as who, current_setting('request.jwt.claims')::json ->> 'sub' as sub\`
        const [outside] = await scope.sql\`select current_user::text as who\`
        return [inside, outside]
      })`)
    expect(rows).toMatchObject([{ who: 'pg_read_all_data', sub: 'ada' }, { who: postgres.user }])
  })
})
