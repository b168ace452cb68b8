import { createDatabase, type Scope, webSocketTransport } from 'nullpool'
import { neonClient } from 'nullpool/neon'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../../src/cli/postgres-server.ts'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { failureOf } from '../support/fault-bed.ts'
import { DONE, work } from '../support/neon-work.ts'
import { databaseUrl } from '../support/servers.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'
import { trustWebSockets } from '../support/trusting-websocket.ts'
import { startWebSocketTunnel, type WebSocketTunnel } from '../support/websocket-tunnel.ts'

const { pgbouncer, postgres, ca, certificateFiles } = inject('servers')

describe.skipIf(!pgbouncer)('Neon’s driver through a WebSocket, to PgBouncer with SCRAM', () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  let tunnel: WebSocketTunnel
  let distrust: () => void
  beforeAll(async () => {
    bed = await createTestDatabase()
    proxy = await startCountingProxy({ target: pgbouncer ?? postgres })
    tunnel = await startWebSocketTunnel({ tls: certificateFiles })
    distrust = trustWebSockets(ca, () => tunnel.port)
  })
  afterEach(async () => {
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    proxy.reset()
  })
  afterAll(async () => {
    distrust()
    await tunnel.stop()
    await proxy.stop()
    await bed[Symbol.asyncDispose]()
  })
  const open = (): Scope => {
    const transport = webSocketTransport({ url: tunnel.url })
    return createDatabase({ url: bed.url(proxy), pooler: 'pgbouncer', transport }).scope()
  }

  it('works as over TCP, in as many trips, on one WebSocket', async () => {
    await using cold = open()
    await neonClient(cold).query('select $1::int', [1])
    expect(proxy.turns).toBe(2)
    const before = tunnel.upgrades.length
    await using scope = open()
    expect(await work(scope)).toEqual(DONE)
    expect(tunnel.upgrades.length - before).toBe(1)
  })

  it('fails once with the tunnel', async () => {
    await using scope = open()
    const client = neonClient(scope)
    await client.query('select 1')
    const failing = [client.query('select pg_sleep(20)'), client.query('select 1')]
    await proxy.until(({ turns }) => turns >= 3)
    proxy.cutAll('rst')
    for (const each of failing) {
      expect(await failureOf(each)).toMatchObject({ retryable: false })
    }
  })
})

describe('Neon’s driver by Neon’s own route', () => {
  let asking: PostgresServer
  let proxy: CountingProxy
  let tunnel: WebSocketTunnel
  let distrust: () => void
  beforeAll(async () => {
    // Neon itself cannot be run here: a Postgres that asks for the password in clear, as Neon does there.
    asking = await startPostgres({ authMethod: 'password' })
    proxy = await startCountingProxy({ target: asking })
    tunnel = await startWebSocketTunnel({ tls: certificateFiles, target: proxy })
    distrust = trustWebSockets(ca, () => tunnel.port)
  })
  afterAll(async () => {
    distrust()
    await tunnel.stop()
    await proxy.stop()
    await asking.stop()
  })

  it('has login and first statement in one trip, as Neon’s own pipelineConnect', async () => {
    const host = { host: 'ep-cool-name-1-pooler.eu-central-1.aws.neon.tech', port: 5432 }
    const url = `${databaseUrl(host, 'postgres', asking)}?sslmode=require`
    const scope = createDatabase({ url, transport: webSocketTransport() }).scope()
    const { rows } = await neonClient(scope).query('select $1::int as n', [1])
    expect(rows).toEqual([{ n: 1 }])
    expect(proxy.turns).toBe(1)
    // TCP, TLS and the upgrade are the runtime's.
    expect(scope.metrics).toMatchObject({ connects: 1, roundTrips: 3 + 1 })
    expect(await work(scope)).toEqual(DONE)
    expect(tunnel.upgrades.map(({ path }) => path)).toEqual(['/v2'])
    await scope.close()
  })
})
