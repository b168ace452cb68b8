import { createDatabase, type DatabaseOptions, NullpoolError, webSocketTransport } from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../../src/cli/postgres-server.ts'
import {
  type CountingProxy,
  type ProxyTarget,
  startCountingProxy,
} from '../support/counting-proxy.ts'
import { databaseUrl } from '../support/servers.ts'
import { trustWebSockets } from '../support/trusting-websocket.ts'
import { startWebSocketTunnel, type WebSocketTunnel } from '../support/websocket-tunnel.ts'

const { postgres, ca, certificateFiles } = inject('servers')

/** Neon itself cannot be run here: a Postgres that asks for the password in clear, as Neon does there. */
const HOST = { host: 'ep-cool-name-1-pooler.eu-central-1.aws.neon.tech', port: 5432 }

describe("Neon's own route", () => {
  let asking: PostgresServer
  let target: ProxyTarget
  let proxy: CountingProxy
  let tunnel: WebSocketTunnel
  let distrust: () => void
  beforeAll(async () => {
    asking = await startPostgres({ authMethod: 'password' })
    target = asking
    proxy = await startCountingProxy({ target: () => target })
    tunnel = await startWebSocketTunnel({ tls: certificateFiles, target: proxy })
    distrust = trustWebSockets(ca, () => tunnel.port)
  })
  afterEach(async () => {
    await settled()
    target = asking
  })
  afterAll(async () => {
    distrust()
    await tunnel.stop()
    await proxy.stop()
    await asking.stop()
  })

  async function settled(): Promise<void> {
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    proxy.reset()
  }

  const database = (
    options: DatabaseOptions = {},
    login: { user?: string; password?: string } = {},
  ) => {
    const { user, password } = { ...asking, ...login }
    const url = `${databaseUrl(HOST, 'postgres', { user, password })}?sslmode=require`
    return createDatabase({
      url,
      transport: webSocketTransport({ token: 'not-for-neon' }),
      ...options,
    })
  }

  const failure = (work: PromiseLike<unknown>): Promise<NullpoolError> =>
    Promise.resolve(work).then(
      () => {
        throw new Error('It did not fail.')
      },
      (error: NullpoolError) => error,
    )

  it('takes login and first statement in one trip behind TCP, TLS and upgrade', async () => {
    await database().run({}, ({ sql }) => sql`select ${1}::int as learned`)
    await settled()
    const scope = database().scope()
    expect([...(await scope.sql`select ${2}::int as learned`)]).toEqual([{ learned: 2 }])
    expect(proxy.turns).toBe(1)
    expect(scope.metrics).toMatchObject({ connects: 1, roundTrips: 3 + 1 })
    await scope.close()
    const asked = tunnel.upgrades.at(-1)
    expect(asked).toEqual({ path: '/v2', address: null, protocols: undefined })
  })

  it('takes a transaction in one trip more', async () => {
    const scope = database().scope()
    await scope.transaction((sql) => sql`select ${1}::int as learned`)
    expect(proxy.turns).toBe(2)
    await scope.close()
  })

  it('sends 16 KiB at the most before the server has let it in', async () => {
    const large = 'x'.repeat(40_000)
    const scope = database().scope()
    const [row] = await scope.sql.unsafe(`select length('${large}') as n`)
    expect(row?.n).toBe(40_000)
    expect(proxy.turns).toBe(2)
    await scope.close()
    await settled()
    const [other] = await database().run({}, ({ sql }) => sql`select ${large}::text as x`)
    expect(other?.x).toBe(large)
  })

  it('a wrong password is told as such, and runs nothing', async () => {
    const wrong = database({}, { password: 'wrong' })
    const error = await failure(wrong.run({}, ({ sql }) => sql`create table never_made (n int)`))
    expect(error).toMatchObject({ code: 'ERR_AUTH_PASSWORD', retryable: false })
    expect(JSON.stringify(error)).not.toContain('wrong')
    const [row] = await database().run({}, ({ sql }) => sql`select to_regclass('never_made') as it`)
    expect(row?.it).toBeNull()
  })

  it('asks first where pooler is supavisor: start-up, password, statement', async () => {
    const scope = database({ pooler: 'supavisor' }).scope()
    await scope.sql`select 1`
    expect(proxy.turns).toBe(3)
    await scope.close()
  })

  it('a server that asks for SCRAM is told as such, with a way that works', async () => {
    target = postgres
    const guessed = database({}, postgres)
    const error = await failure(guessed.run({}, ({ sql }) => sql`select 1`))
    expect(error).toMatchObject({
      code: 'ERR_AUTH_METHOD',
      hint: expect.stringContaining("'supavisor'"),
    })
    const asked = database({ pooler: 'supavisor' }, postgres)
    expect(await asked.run({}, ({ sql }) => sql`select 1 as n`)).toMatchObject([{ n: 1 }])
  })

  it('a statement is cancelled over a WebSocket of its own', async () => {
    const scope = database().scope()
    const slow = scope.sql`select pg_sleep(${20})`
    const error = await failure(scope.abortable(slow, AbortSignal.timeout(300)))
    expect(error).toMatchObject({
      code: 'ERR_ABORTED',
      message: expect.stringMatching(/no effect/),
    })
    await scope.close()
  })

  it('a root of your own is refused: the runtime would ignore it', async () => {
    const error = await failure(database({ tls: { ca } }).run({}, ({ sql }) => sql`select 1`))
    expect(error).toMatchObject({ code: 'ERR_OPTIONS', hint: expect.stringContaining('tls.ca') })
    expect(proxy.connections).toHaveLength(0)
  })

  it('is not trusted without the root', async () => {
    distrust()
    const error = await failure(database().run({}, ({ sql }) => sql`select 1`))
    expect(error).toBeInstanceOf(NullpoolError)
    expect(error).toMatchObject({ code: 'ERR_GATEWAY', retryable: true })
    expect(proxy.connections).toHaveLength(0)
    distrust = trustWebSockets(ca, () => tunnel.port)
  })
})
