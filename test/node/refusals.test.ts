import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { createDatabase, type DatabaseOptions, NullpoolError, type NullpoolEvent } from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import {
  type PgBouncerOptions,
  type PgBouncerServer,
  startPgBouncer,
} from '../../src/cli/pgbouncer-server.ts'
import { closedPort, startCountingProxy } from '../support/counting-proxy.ts'
import { databaseUrl } from '../support/servers.ts'
import { StrictPoolerBed } from '../support/strict-pooler-bed.ts'
import { createTestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')
const SECRET = 'correct-horse-Battery-77'

/** The error of one query, and everything that it and the events show. */
async function refusal(url: string, options: DatabaseOptions = {}): Promise<NullpoolError> {
  const events: NullpoolEvent[] = []
  const onEvent = (event: NullpoolEvent): void => void events.push(event)
  await using scope = createDatabase({ url, connectTimeoutMs: 10_000, onEvent, ...options }).scope()
  const error = await scope.sql`select ${'parameter-value-42'}::text`.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(NullpoolError)
  const shown = [error, events, scope].map((value) =>
    [inspect(value, { showHidden: true, depth: 9, getters: true }), JSON.stringify(value)].join(),
  )
  for (const hidden of [SECRET, postgres.password, 'parameter-value-42', url]) {
    expect(shown.join()).not.toContain(hidden)
  }
  return error as NullpoolError
}

describe('Postgres refuses', () => {
  const url = (login: { user?: string; password?: string }, database = 'postgres'): string =>
    databaseUrl(postgres, database, { ...postgres, ...login })

  it('a wrong password, which is tried once', async () => {
    const proxy = await startCountingProxy({ target: postgres })
    const error = await refusal(databaseUrl(proxy, 'postgres', { ...postgres, password: SECRET }))
    expect(error).toMatchObject({ code: 'ERR_AUTH_PASSWORD', retryable: false })
    expect(error.hint).toMatch(/user and password of the connection string/)
    expect(proxy.connections).toHaveLength(1)
    await proxy.stop()
  })

  it('an unknown user like a wrong password', async () => {
    const error = await refusal(url({ user: 'nobody_at_all' }))
    expect(error).toMatchObject({ code: 'ERR_AUTH_PASSWORD', retryable: false })
  })

  it('an unknown database', async () => {
    const error = await refusal(url({}, 'no_such_database'))
    expect(error).toMatchObject({ code: 'ERR_DATABASE_UNKNOWN', retryable: false })
    expect(error.hint).toMatch(/path of the connection string/)
  })

  it('more connections than a role may have', async () => {
    await using bed = await createTestDatabase()
    const user = `${bed.name}_full`
    await bed.sql.unsafe(`create role ${user} login connection limit 0 password '${SECRET}'`)
    const error = await refusal(url({ user, password: SECRET }), { connectRetries: 0 })
    await bed.sql.unsafe(`drop role ${user}`)
    expect(error).toMatchObject({ code: 'ERR_POOLER_FULL', retryable: true })
    expect(error.message).toMatch(/^The database accepts no more connections\. It said: too many/)
    expect(error.hint).toContain('CONNECTION LIMIT')
  })
})

describe('the wrong port', () => {
  const at = (port: number): string =>
    databaseUrl({ host: '127.0.0.1', port }, 'd', { user: 'u', password: SECRET })

  it('nobody listens on', async () => {
    const port = await closedPort()
    const error = await refusal(at(port.port))
    expect(error).toMatchObject({ code: 'ERR_CONNECT_REFUSED', retryable: true })
    expect(error.hint).toMatch(/6543/)
    await port.release()
  })

  it.each([
    ['talks HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'ERR_PROTOCOL'],
    ['talks SSH', 'SSH-2.0-OpenSSH_9.2p1\r\n', 'ERR_PROTOCOL'],
    ['announces a gigabyte', 'R\x3f\xff\xff\xff', 'ERR_PROTOCOL'],
    ['sends nothing but zeros', '\0'.repeat(64), 'ERR_PROTOCOL'],
  ])('%s', async (_what, words, code) => {
    await using server = await speaker(
      (socket) => void socket.once('data', () => socket.write(words, 'latin1')),
    )
    const error = await refusal(at(server.port))
    expect(error).toMatchObject({ code, retryable: false })
    expect(error.hint).toMatch(/host and port/)
  })

  it('accepts and never answers', async () => {
    await using server = await speaker(() => {})
    const error = await refusal(at(server.port), { connectTimeoutMs: 200 })
    expect(error).toMatchObject({ code: 'ERR_CONNECT_TIMEOUT', retryable: true })
    expect(error.message).toMatch(/connectTimeoutMs/)
  })

  it('has bytes in clear behind its yes to TLS', async () => {
    await using server = await speaker(
      (socket) => void socket.once('data', () => socket.write('SR')),
    )
    const error = await refusal(at(server.port), { tls: 'verify' })
    expect(error).toMatchObject({ code: 'ERR_PROTOCOL' })
  })
})

describe.skipIf(!pgbouncer)('PgBouncer', () => {
  const servers: PgBouncerServer[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop()
  })
  const start = async (options: Partial<PgBouncerOptions>): Promise<PgBouncerServer> => {
    const users = { [postgres.user]: postgres.password }
    const server = await startPgBouncer({ upstream: postgres, users, ...options })
    servers.push(server)
    return server
  }

  it('refuses a wrong password and an unknown user', async () => {
    const server = await start({})
    const wrong = await refusal(databaseUrl(server, 'postgres', { ...postgres, password: SECRET }))
    expect(wrong).toMatchObject({ code: 'ERR_AUTH_PASSWORD', retryable: false })
    const unknown = await refusal(
      databaseUrl(server, 'postgres', { user: 'nobody', password: SECRET }),
    )
    expect(unknown).toMatchObject({ code: 'ERR_AUTH_PASSWORD', retryable: false })
  })

  it('refuses an unknown database', async () => {
    const server = await start({ databases: { postgres: {} } })
    const error = await refusal(databaseUrl(server, 'nope', postgres))
    expect(error).toMatchObject({ code: 'ERR_DATABASE_UNKNOWN', retryable: false })
  })

  it('is full', async () => {
    const server = await start({ maxClientConnections: 1 })
    const url = databaseUrl(server, 'postgres', postgres)
    await using first = createDatabase({ url }).scope()
    await first.sql`select 1`
    const error = await refusal(url)
    expect(error).toMatchObject({ code: 'ERR_POOLER_FULL', retryable: true })
    expect(error.hint).toMatch(/max_client_conn/)
  })

  it('has no backend free in time', async () => {
    const server = await start({ poolSize: 1, settings: { query_wait_timeout: '1' } })
    const url = databaseUrl(server, 'postgres', postgres)
    await using first = createDatabase({ url }).scope()
    const begun = Promise.withResolvers<void>()
    const done = Promise.withResolvers<void>()
    const holding = first.sql.begin(async (tx) => {
      await tx`select 1`
      begun.resolve()
      await done.promise
    })
    await begun.promise
    const error = await refusal(url)
    expect(error).toMatchObject({ code: 'ERR_POOLER_FULL', retryable: true })
    expect(error.hint).toMatch(/pool size/)
    done.resolve()
    await holding
  })

  it.each(['md5', 'trust'] as const)('lets in by %s', async (authType) => {
    const server = await start({ authType })
    await using scope = createDatabase({ url: databaseUrl(server, 'postgres', postgres) }).scope()
    expect((await scope.sql`select 1 as n`)[0]?.n).toBe(1)
  })

  it('gets the password in clear over TLS only', async () => {
    const { certificateFiles, ca } = inject('servers')
    const server = await start({ authType: 'plain', tls: { ...certificateFiles, mode: 'allow' } })
    const url = databaseUrl(server, 'postgres', postgres)
    const error = await refusal(url)
    expect(error).toMatchObject({ code: 'ERR_AUTH_METHOD', retryable: false })
    expect(error.hint).toMatch(/tls/)
    await using scope = createDatabase({ url, tls: { ca } }).scope()
    expect((await scope.sql`select 1 as n`)[0]?.n).toBe(1)
  })
})

describe('Supavisor, as the model has it', () => {
  let bed: StrictPoolerBed
  beforeAll(async () => {
    bed = await StrictPoolerBed.create()
  })
  afterEach(() => bed.clear())
  afterAll(() => bed[Symbol.asyncDispose]())

  it('knows no such project, or gets no reference', async () => {
    const pooler = await bed.start()
    const { password, database } = bed.login(pooler)
    for (const user of ['postgres.elsewhere', 'postgres']) {
      const error = await refusal(databaseUrl(pooler, database, { user, password }))
      expect(error).toMatchObject({ code: 'ERR_TENANT_UNKNOWN', retryable: false })
      expect(error.hint).toMatch(/<role>\.<project ref>/)
    }
  })

  it('refuses a wrong password, which is tried once, and blocks after many', async () => {
    const pooler = await bed.start({ maxAuthFailures: 1 })
    const { user, database } = bed.login(pooler)
    const url = databaseUrl(pooler, database, { user, password: SECRET })
    expect(await refusal(url)).toMatchObject({ code: 'ERR_AUTH_PASSWORD', retryable: false })
    const blocked = await refusal(url)
    expect(blocked).toMatchObject({ code: 'ERR_AUTH_BLOCKED', retryable: false })
    expect(blocked.hint).toMatch(/two minutes/)
  })

  it('is full', async () => {
    const pooler = await bed.start({ maxClients: 1 })
    const { database, ...login } = bed.login(pooler)
    const url = databaseUrl(pooler, database, login)
    await using first = createDatabase({ url }).scope()
    await first.sql`select 1`
    expect(await refusal(url)).toMatchObject({ code: 'ERR_POOLER_FULL', retryable: true })
  })
})

/** A server that is not Postgres. */
async function speaker(
  speak: (socket: Socket) => void,
): Promise<{ port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    speak(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
