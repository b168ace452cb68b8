import { createDatabase, type NullpoolError, webSocketTransport } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, closedPort, startCountingProxy } from '../support/counting-proxy.ts'
import { RUNTIMES, type RunningGateway, startNodeGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres, ca } = inject('servers')

const OTHER_TOKEN = TOKEN.toUpperCase()

describe.skipIf(!pgbouncer).each(RUNTIMES)(
  'a database behind the gateway on %s',
  (_name, start) => {
    let bed: TestDatabase
    let proxy: CountingProxy
    let gateway: RunningGateway
    const unreached = { host: '127.0.0.1', port: 0, release: () => {} }
    beforeAll(async () => {
      bed = await createTestDatabase()
      proxy = await startCountingProxy({ target: pgbouncer ?? postgres })
      Object.assign(unreached, await closedPort())
      const targets = [proxy, unreached].map(({ host, port }) => `${host}:${port}`)
      gateway = await start({ targets, maxConnections: 1 })
    })
    afterAll(async () => {
      unreached.release()
      await gateway?.[Symbol.asyncDispose]()
      await proxy?.stop()
      await bed?.[Symbol.asyncDispose]()
    })

    const over = (way: {
      token?: string
      tokenIn?: 'query'
      path?: string
      at?: typeof unreached
    }) => {
      const { token = TOKEN, path = '/v2', at, tokenIn } = way
      const url = `ws://${gateway.host}${path}`
      const transport = webSocketTransport({ url, token, ...(tokenIn ? { tokenIn } : {}) })
      return createDatabase({ url: bed.url(at ?? proxy), pooler: 'pgbouncer', transport })
    }
    const failure = (way: Parameters<typeof over>[0]): Promise<NullpoolError> =>
      over(way)
        .run({}, ({ sql }) => sql`select 1`)
        .then(
          () => Promise.reject(new Error('It did not fail.')),
          (error: NullpoolError) => error,
        )

    it.each([[{}], [{ path: '/v1' }], [{ tokenIn: 'query' as const }]])(
      'is reached with %j, and left',
      async (way) => {
        const rows = await over(way).run({}, ({ sql }) => sql`select ${1}::int as n`)
        expect(rows).toMatchObject([{ n: 1 }])
        await proxy.until(({ connections }) => connections.every(({ open }) => !open))
      },
    )

    it('is not reached with another token, which nobody sees', async () => {
      for (const way of [{}, { tokenIn: 'query' as const }, { path: '/v1' }]) {
        const error = await failure({ ...way, token: OTHER_TOKEN })
        expect(error).toMatchObject({ code: 'ERR_GATEWAY_TOKEN', retryable: false })
        expect(error.hint).toContain('NULLPOOL_GATEWAY_TOKEN')
        const seen = JSON.stringify(error, Object.getOwnPropertyNames(error)) + String(error.cause)
        expect(seen).not.toContain(OTHER_TOKEN)
      }
    })

    it('is not reached where the gateway does not list it', async () => {
      const error = await failure({ at: { ...unreached, port: postgres.port } })
      expect(error).toMatchObject({ code: 'ERR_GATEWAY_TARGET', retryable: false })
      expect(error.message).toContain(`127.0.0.1:${postgres.port}`)
      expect(error.hint).toContain('targets')
    })

    it('that is down is told as down', async () => {
      const error = await failure({ at: unreached })
      expect(error).toMatchObject({ code: 'ERR_CONNECT_REFUSED', retryable: true })
      expect(error.message).toContain(`127.0.0.1:${unreached.port}`)
    })

    it('is told where the gateway is full, behind the attempts of connectRetries', async () => {
      await using scope = over({}).scope()
      await scope.sql`select 1`
      const error = await failure({})
      expect(error).toMatchObject({ code: 'ERR_GATEWAY_LIMIT', retryable: true })
      expect(error.hint).toContain('maxConnections')
    })
  },
)

describe('the TLS of the gateway, for a database behind it', () => {
  it('is spoken on /v2, and missed on /v1', async () => {
    await using bed = await createTestDatabase()
    const { port } = postgres
    const target = { address: `localhost:${port}`, tls: { ca } }
    await using gateway = await startNodeGateway({ targets: [target] })
    const run = (path: string): Promise<readonly object[]> =>
      createDatabase({
        url: bed.url({ host: 'localhost', port }),
        transport: webSocketTransport({ url: `ws://${gateway.host}${path}`, token: TOKEN }),
      }).run({}, ({ sql }) => sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`)
    expect(await run('/v2')).toMatchObject([{ ssl: true }])
    await expect(run('/v1')).rejects.toMatchObject({
      code: 'ERR_TLS_REQUIRED',
      hint: expect.stringContaining('/v2'),
      retryable: false,
    })
  })
})

describe('a gateway that is full', () => {
  it('is asked again, and let in as soon as somebody leaves', async () => {
    await using bed = await createTestDatabase()
    await using gateway = await startNodeGateway({
      targets: [`${postgres.host}:${postgres.port}`],
      maxConnections: 1,
    })
    const transport = webSocketTransport({ url: `ws://${gateway.host}/v2`, token: TOKEN })
    const database = createDatabase({ url: bed.url(postgres), transport, connectRetries: 10 })
    const first = database.scope()
    await first.sql`select 1`
    const second = database.run({}, ({ sql }) => sql`select 2 as n`)
    await expect.poll(() => gateway.events.map(({ type }) => type)).toContain('refused')
    await first.close()
    expect(await second).toMatchObject([{ n: 2 }])
  })
})
