import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  inject,
  it,
  onTestFinished,
} from 'vitest'
import { startPgBouncer } from '../../src/cli/pgbouncer-server.ts'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { databaseUrl } from '../support/servers.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres, ca, certificateFiles } = inject('servers')

describe.each([
  ['PgBouncer', pgbouncer, 'pgbouncer'],
  ['Postgres', postgres, 'postgres'],
] as const)('pipelined, on %s', (_name, target, pooler) => {
  describe.skipIf(!target)('of the test bed', () => {
    let bed: TestDatabase
    let proxy: CountingProxy
    beforeAll(async () => {
      bed = await createTestDatabase()
      await bed.sql`create table written (n int)`
      proxy = await startCountingProxy({ target: target ?? postgres })
    })
    afterEach(async () => {
      await proxy.until(({ connections }) => connections.every(({ open }) => !open))
      proxy.reset()
    })
    afterAll(async () => {
      await proxy.stop()
      await bed[Symbol.asyncDispose]()
    })
    const connect = (options: DatabaseOptions = {}, password?: string): Scope =>
      createDatabase({
        url: bed.url(proxy, password === undefined ? {} : { password }),
        pooler,
        ...options,
      }).scope()

    it('sends twenty plain queries in one trip, and mixes up no answers', async () => {
      await using scope = connect()
      await scope.sql`select 0`
      const { turns } = proxy
      const numbers = Array.from({ length: 20 }, (_, n) => n)
      const found = await Promise.all(numbers.map((n) => scope.sql.unsafe(`select ${n} as n`)))
      expect(found.map(([row]) => row?.n)).toEqual(numbers)
      expect(proxy.turns - turns).toBe(1)
    })

    it('mixes up nothing where statements fail, and others are parameterised', async () => {
      await using scope = connect()
      const numbers = Array.from({ length: 30 }, (_, n) => n)
      const found = await Promise.allSettled(
        numbers.map((n) => {
          if (n % 3 === 0) return scope.sql.unsafe(`select ${n} / 0`)
          return n % 3 === 1
            ? scope.sql`select ${n}::int as n`
            : scope.sql.unsafe(`select ${n} as n`)
        }),
      )
      for (const [n, result] of found.entries()) {
        if (n % 3 === 0) expect(result).toMatchObject({ reason: { code: '22012' } })
        else expect(result).toMatchObject({ value: [{ n }] })
      }
    })

    it('keeps others out of a transaction, and sends nothing behind a COPY', async () => {
      await using scope = connect()
      const { sql } = scope
      const [, beside] = await Promise.all([
        sql
          .begin(async (tx) => {
            await Promise.all([1, 2, 3].map((n) => tx.unsafe(`insert into written values (${n})`)))
            throw new Error('back')
          })
          .catch(() => undefined),
        sql.reserve().then((own) => own`select count(*)::int as n from written`),
      ])
      expect(beside).toEqual([{ n: 0 }])
      const stream = await sql`copy written from stdin`.writable()
      const finished = new Promise((resolve, reject) => {
        stream.on('finish', resolve).on('error', reject)
      })
      stream.end('7\n')
      await finished
      expect(await sql`select n from written`).toEqual([{ n: 7 }])
    })

    it('refuses a wrong password with one attempt, and has not run what came with it', async () => {
      await using scope = connect({}, 'wrong')
      await expect(scope.sql`insert into written values (99)`).rejects.toMatchObject({
        code: 'ERR_AUTH_PASSWORD',
        retryable: false,
      })
      expect(proxy.connections).toHaveLength(1)
      expect(await bed.sql`select 1 from written where n = 99`).toEqual([])
    })

    it('says goodbye where nothing was ever asked', async () => {
      const scope = connect({ connect: 'eager' })
      await proxy.until(({ turns }) => turns === 2)
      await scope.close()
      await proxy.until(({ connections: [first] }) => first?.closedBy === 'client-fin')
    })
  })
})

describe('direct', () => {
  let proxy: CountingProxy
  beforeAll(async () => {
    proxy = await startCountingProxy({ target: postgres })
  })
  afterEach(() => proxy.reset())
  afterAll(() => proxy.stop())
  const direct = (at: { host: string; port: number } = proxy): Scope =>
    createDatabase({
      url: `${databaseUrl(at, 'postgres', postgres)}?sslmode=verify-full&sslnegotiation=direct`,
      tls: { ca },
      connectTimeoutMs: 3_000,
    }).scope()

  it('takes three trips to the first row over TLS, TCP not counted', async () => {
    await using warm = direct()
    await warm.sql`select ${1}::int as direct`
    proxy.reset()
    await using scope = direct()
    expect(await scope.sql`select ${1}::int as direct`).toEqual([{ direct: 1 }])
    expect(scope.metrics.roundTrips).toBe(4)
  })

  it.skipIf(!pgbouncer)('fails with a reason on a server that does not know it', async () => {
    await using scope = direct(pgbouncer)
    await expect(scope.sql`select 1`).rejects.toMatchObject({
      code: 'ERR_TLS_FAILED',
      retryable: false,
      hint: expect.stringMatching(
        /remove sslnegotiation=direct .*, or set the option pooler to 'supavisor'/,
      ),
    })
    const login = databaseUrl(pgbouncer ?? postgres, 'postgres', postgres)
    const mended = [
      { url: `${login}?sslmode=verify-full`, tls: { ca } },
      {
        url: `${login}?sslmode=verify-full&sslnegotiation=direct`,
        tls: { ca },
        pooler: 'supavisor',
      },
    ] as const
    for (const options of mended) {
      await using other = createDatabase(options).scope()
      expect(await other.sql`select 1 as n`).toEqual([{ n: 1 }])
    }
  })
})

describe.skipIf(!pgbouncer)(
  'a pooler that asks for another method than the profile begins with',
  () => {
    const begin = async (authType: 'md5' | 'plain' | 'trust'): Promise<string> => {
      const users = { [postgres.user]: postgres.password }
      const tls = certificateFiles
      const server = await startPgBouncer({ upstream: postgres, users, authType, tls })
      onTestFinished(() => server.stop())
      return databaseUrl(server, 'postgres', postgres)
    }
    const fails = async (options: DatabaseOptions, hint: string): Promise<void> => {
      await using scope = createDatabase(options).scope()
      await expect(scope.sql`select 1`).rejects.toMatchObject({
        code: 'ERR_AUTH_METHOD',
        retryable: false,
        hint: expect.stringContaining(hint),
      })
    }
    const worksWith = async (options: DatabaseOptions): Promise<void> => {
      await using scope = createDatabase(options).scope()
      expect(await scope.sql`select 1 as n`).toEqual([{ n: 1 }])
    }

    it.each(['md5', 'trust'] as const)('is %s: one clear error, whose hint helps', async (type) => {
      const url = await begin(type)
      await fails({ url, pooler: 'pgbouncer' }, "pooler to 'supavisor'")
      await worksWith({ url, pooler: 'supavisor' })
    })

    it('is plain: the same over TLS, and without it one error more, whose hint is TLS', async () => {
      const url = await begin('plain')
      await fails({ url, pooler: 'pgbouncer', tls: { ca } }, "pooler to 'supavisor'")
      await fails({ url, pooler: 'pgbouncer', tls: 'disable' }, "pooler to 'supavisor'")
      await fails({ url, pooler: 'supavisor', tls: 'disable' }, "tls to 'verify'")
      await worksWith({ url, pooler: 'supavisor', tls: { ca } })
    })
  },
)
