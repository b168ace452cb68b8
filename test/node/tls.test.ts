import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { createDatabase, type DatabaseOptions, type Transport, TransportError } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../../src/cli/postgres-server.ts'
import { type Certificates, makeCertificates, SUPABASE_HOST } from '../support/certificates.ts'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { databaseUrl } from '../support/servers.ts'

const { postgres, ca, caFile, otherCa } = inject('servers')

describe('TLS in Node', () => {
  let proxy: CountingProxy
  beforeAll(async () => {
    proxy = await startCountingProxy({ target: postgres, record: true })
  })
  afterAll(() => proxy.stop())

  const url = (query = '', at: { host: string; port: number } = proxy): string =>
    databaseUrl(at, 'postgres', postgres) + query

  const attempt = async (options: DatabaseOptions): Promise<unknown> => {
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    proxy.reset()
    await using scope = createDatabase({ connectTimeoutMs: 5_000, ...options }).scope()
    return await scope.sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.then(
      ([row]) => row?.ssl,
      (error: unknown) => error,
    )
  }

  /** Whatever the client said in clear. */
  const saidInClear = (): string =>
    proxy.connections
      .flatMap(({ transcript }) => transcript)
      .filter(({ direction }) => direction === 'up')
      .map(({ bytes }) => Buffer.from(bytes).toString('latin1'))
      .join('')

  it('is verified against the given root', async () => {
    expect(await attempt({ url: url(), tls: { ca } })).toBe(true)
    expect(saidInClear()).not.toContain(postgres.user)
  })

  it('is left out to a loopback host unless asked for', async () => {
    expect(await attempt({ url: url() })).toBe(false)
    expect(await attempt({ url: url('?sslmode=prefer') })).toBe(false)
    expect(await attempt({ url: url('?sslmode=disable') })).toBe(false)
    expect(await attempt({ url: url('?sslmode=require'), tls: 'disable' })).toBe(false)
  })

  it.each([
    ['a root that nobody has heard of', { tls: 'verify' }, /tls: \{ ca \}/],
    ['another root', { tls: { ca: otherCa } }, /tls: \{ ca \}/],
    ['another name', { tls: { ca, serverName: 'database.example' } }, /serverName/],
    ['a stranger as Supabase', { tls: { serverName: SUPABASE_HOST } }, /tls: \{ ca \}/],
  ] as const)('refuses %s and says nothing in clear', async (_what, options, hint) => {
    const error = await attempt({ url: url(), ...options })
    expect(error).toMatchObject({ code: 'ERR_TLS_UNTRUSTED', retryable: false })
    expect(String(error)).toMatch(hint)
    expect(saidInClear()).not.toContain(postgres.user)
    expect(proxy.connections).toHaveLength(1)
  })

  it.each(['require', 'verify-ca', 'verify-full'])('verifies with sslmode=%s', async (mode) => {
    expect(await attempt({ url: url(`?sslmode=${mode}`) })).toMatchObject({
      code: 'ERR_TLS_UNTRUSTED',
    })
  })

  it('is the default for a host that is not loopback', async () => {
    const asked: boolean[] = []
    const transport: Transport = {
      name: 'observer',
      connect: (_address, { willStartTls }) => {
        asked.push(willStartTls)
        return Promise.reject(new TransportError('refused', 'observed'))
      },
    }
    const away = { host: 'database.example.com', port: 6543 }
    for (const query of ['', '?sslmode=prefer', '?sslmode=require', '?sslmode=disable']) {
      await attempt({ url: url(query, away), transport })
    }
    expect(asked).toEqual([true, true, true, false])
  })
})

it('TLS of Supabase’s hosts is trusted by the roots that Node was given, too', async () => {
  const program = `
    import { createDatabase } from 'nullpool'
    const database = createDatabase({ tls: { serverName: '${SUPABASE_HOST}' } })
    const rows = await database.run({}, ({ sql }) => sql\`select 1 as n\`)
    console.log(rows[0].n)`
  const environment = { DATABASE_URL: databaseUrl(postgres, 'postgres', postgres) }
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { env: { ...environment, NODE_EXTRA_CA_CERTS: caFile } },
  )
  expect(stdout).toBe('1\n')
})

describe('TLS of a server', () => {
  let certificates: Certificates
  const servers: PostgresServer[] = []
  beforeAll(async () => {
    certificates = await makeCertificates()
  })
  afterAll(async () => {
    for (const server of servers) await server.stop()
    await certificates.remove()
  })
  const errorFrom = async (
    server: PostgresServer,
    tls: DatabaseOptions['tls'],
  ): Promise<unknown> => {
    servers.push(server)
    await using scope = createDatabase({ url: server.url(), ...(tls ? { tls } : {}) }).scope()
    return await scope.sql`select 1`.catch((error: unknown) => error)
  }

  it('that has expired is refused with the reason', async () => {
    const server = await startPostgres({ tls: certificates.expired })
    const error = await errorFrom(server, { ca: certificates.ca.pem })
    expect(error).toMatchObject({ code: 'ERR_TLS_UNTRUSTED' })
    expect(String(error)).toMatch(/expired/)
  })

  it('that is not valid yet is refused with the reason, in Bun too', async () => {
    const server = await startPostgres({ tls: certificates.early })
    const error = await errorFrom(server, { ca: certificates.ca.pem })
    expect(error).toMatchObject({ code: 'ERR_TLS_UNTRUSTED' })
    expect(String(error)).toMatch(/It is not valid yet/)
    expect(String(error)).not.toMatch(/root certificate/)
    const program = `
      const { createDatabase } = await import('./dist/index.js')
      const database = createDatabase({ tls: { ca: process.env.TEST_CA } })
      await database.run({}, ({ sql }) => sql\`select 1\`).catch((error) => console.log(error.message))`
    const { stdout } = await promisify(execFile)('node_modules/.bin/bun', ['--eval', program], {
      env: { ...process.env, DATABASE_URL: server.url(), TEST_CA: certificates.ca.pem },
    })
    expect(stdout).toMatch(/It is not valid yet/)
    expect(stdout).not.toMatch(/root certificate/)
  })

  it('that is made out to another name is accepted under that name', async () => {
    const server = await startPostgres({ tls: certificates.otherName })
    const { pem } = certificates.ca
    expect(await errorFrom(server, { ca: pem })).toMatchObject({ code: 'ERR_TLS_UNTRUSTED' })
    expect(await errorFrom(server, { ca: pem, serverName: 'other.example' })).toHaveLength(1)
  })

  it('that takes Supabase’s name is found out by Supabase’s root, which vouches for no other host', async () => {
    const server = await startPostgres({ tls: certificates.impostor })
    const asSupabase = await errorFrom(server, { serverName: SUPABASE_HOST })
    expect(asSupabase).toMatchObject({ code: 'ERR_TLS_UNTRUSTED' })
    // Only who holds the real root can tell that the signature is not its own.
    expect(String((asSupabase as Error).cause)).toMatch(/signature failure/)
    const asAnother = (await errorFrom(server, 'verify')) as Error
    expect(String(asAnother.cause)).toMatch(/verify the first certificate/)
  })

  it('that is missing is refused, never done without', async () => {
    const server = await startPostgres()
    const error = await errorFrom(server, 'verify')
    expect(error).toMatchObject({ code: 'ERR_TLS_REFUSED', retryable: false })
    expect(String(error)).toMatch(/tls to 'disable'/)
  })
})
