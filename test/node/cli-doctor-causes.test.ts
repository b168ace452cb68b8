import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type PgBouncerServer, startPgBouncer } from '../../src/cli/pgbouncer-server.ts'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { doctorWithoutIpv6, hasNetworkNamespaces } from '../support/ipv4-only-machine.ts'
import { type NameServer, startNameServer } from '../support/name-server.ts'
import { examine, firstFailingLine, runDoctor, step } from '../support/run-doctor.ts'
import { databaseUrl } from '../support/servers.ts'
import { StrictPoolerBed } from '../support/strict-pooler-bed.ts'

const servers = inject('servers')
const { user, password } = servers.postgres
const REFERENCE = 'abcdefghijklmnopqrst'
const SHARED = 'aws-0-eu-west-1.pooler.supabase.com'
const DIRECT = `db.${REFERENCE}.supabase.co`
const isolated = await hasNetworkNamespaces()

let names: NameServer
let bed: StrictPoolerBed
beforeAll(async () => {
  bed = await StrictPoolerBed.create()
  names = await startNameServer({
    [SHARED]: { a: ['127.0.0.1'] },
    [DIRECT]: { aaaa: ['100::1'] },
  })
})
afterAll(async () => {
  await names[Symbol.asyncDispose]()
  await bed[Symbol.asyncDispose]()
})

/** What a person reads first, and what a program finds. Both, of two runs. */
async function cause(...parameters: string[]) {
  const { stdout, exitCode } = await runDoctor(parameters)
  expect(exitCode).toBe(2)
  expect(stdout).not.toContain(password)
  const report = await examine(parameters)
  expect(report).toMatchObject({ verdict: 'failed', exitCode: 2 })
  const line = firstFailingLine(stdout)
  expect(line).toContain(report.firstFailure?.message)
  return { line, step: report.firstFailure?.step, code: report.firstFailure?.code, report }
}

describe('nullpool doctor names in its first failing line', () => {
  it('a host that does not exist', async () => {
    const url = `postgres://u.${REFERENCE}:p@aws-9-eu-west-1.pooler.supabase.com:6543/postgres`
    const found = await cause(url, '--resolver', names.address)
    expect(found).toMatchObject({ step: 'dns', code: 'ERR_CONNECT_NAME' })
    expect(found.line).toContain('aws-9-eu-west-1.pooler.supabase.com does not exist in DNS')
  })

  it('a DNS server that does not answer', async () => {
    const silent = '127.0.0.1:9'
    const found = await cause(
      'postgres://u:p@database.example/d',
      '--resolver',
      silent,
      '--timeout',
      '500',
    )
    expect(found).toMatchObject({ step: 'dns', code: 'dns-unanswered' })
  })

  it('a port on which nobody listens, and the one on which somebody does', async () => {
    // The port is the usual one, so the address has to be one that nobody else takes meanwhile.
    const host = `127.77.${randomInt(256)}.${randomInt(1, 255)}`
    const server = createServer((socket) => socket.destroy()).listen(6543, host)
    await once(server, 'listening')
    try {
      const found = await cause(`postgres://u:p@${host}:5432/d`)
      expect(found).toMatchObject({ step: 'reach', code: 'ERR_CONNECT_REFUSED' })
      expect(found.line).toContain(`Nothing accepts connections at ${host}:5432: wrong port`)
      expect(found.line).toContain('Port 6543 of the same host does answer')
    } finally {
      server.close()
    }
  })

  it('a port on which something else listens', async () => {
    const server = createServer((socket) =>
      socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.2\r\n'),
    ).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    try {
      const found = await cause(`postgres://u:p@127.0.0.1:${port}/d`)
      expect(found).toMatchObject({ step: 'login', code: 'ERR_PROTOCOL' })
      expect(found.line).toContain('not Postgres')
    } finally {
      server.close()
    }
  })

  it('a user without the project, before anybody is asked', async () => {
    const url = `postgres://postgres:${password}@${SHARED}:6543/postgres`
    const found = await cause(url, '--resolver', names.address, '--timeout', '500')
    expect(found).toMatchObject({ step: 'connection-string', code: 'user-without-reference' })
    expect(found.line).toContain('lacks the reference')
    expect(step(found.report, 'login').verdict).toBe('skipped')
  })

  it('a user whom the pooler cannot place', async () => {
    const pooler = await bed.start()
    const found = await cause(databaseUrl(pooler, bed.database.name, { user, password }))
    expect(found).toMatchObject({ step: 'login', code: 'ERR_TENANT_UNKNOWN' })
    expect(found.line).toContain('does not know this project or user')
  })

  it('a placeholder for the password, with which nobody is bothered', async () => {
    const pooler = await bed.start({ maxAuthFailures: 1 })
    const login = bed.login(pooler)
    const found = await cause(
      databaseUrl(pooler, login.database, { ...login, password: '[YOUR-PASSWORD]' }),
    )
    expect(found).toMatchObject({ step: 'connection-string', code: 'placeholder-password' })
    expect(await examine([databaseUrl(pooler, login.database, login)])).toMatchObject({
      exitCode: 0,
    })
  })

  it('a password that is wrong, after a single attempt', async () => {
    // The second failure would lock everybody out.
    const pooler = await bed.start({ maxAuthFailures: 2 })
    const login = bed.login(pooler)
    const wrong = databaseUrl(pooler, login.database, { ...login, password: 'hunter2' })
    const report = await examine([wrong])
    expect(report.firstFailure).toMatchObject({ step: 'login', code: 'ERR_AUTH_PASSWORD' })
    expect(
      report.steps.filter(({ verdict }) => verdict === 'skipped').map((one) => one.step),
    ).toEqual(['dns', 'tls', 'mode', 'server', 'measure'])
    const right = await examine([databaseUrl(pooler, login.database, login)])
    expect(right).toMatchObject({ exitCode: 0, verdict: 'ok' })
    await examine([wrong])
    const locked = await examine([databaseUrl(pooler, login.database, login)])
    expect(locked.firstFailure).toMatchObject({ step: 'login', code: 'ERR_AUTH_BLOCKED' })
  })

  it('a pooler that takes no more clients', async () => {
    const pooler = await bed.start({ maxClients: 0 })
    const login = bed.login(pooler)
    const found = await cause(databaseUrl(pooler, login.database, login))
    expect(found).toMatchObject({ step: 'login', code: 'ERR_POOLER_FULL' })
    expect(found.line).toContain('The pooler accepts no more client connections')
  })

  it('a host with IPv6 alone', async () => {
    const url = `postgres://postgres:${password}@${DIRECT}:5432/postgres`
    const found = await cause(url, '--resolver', names.address, '--timeout', '500')
    expect(found).toMatchObject({ step: 'reach', code: 'ipv6-unreachable' })
    expect(found.line).toContain(`${DIRECT}:5432 has IPv6 addresses only`)
  })

  it.skipIf(!isolated)('a host with IPv6 alone, on a machine that has none', async () => {
    const url = `postgres://postgres:${password}@${DIRECT}:5432/postgres`
    const { stdout, exitCode } = await doctorWithoutIpv6(url, DIRECT, '2001:db8::1')
    expect(exitCode).toBe(2)
    expect(firstFailingLine(stdout)).toMatch(
      /IPv6 addresses only, and this machine has no IPv6 \(ENETUNREACH\)/,
    )
  })
})

describe.skipIf(!servers.pgbouncer)(
  'nullpool doctor names of a PgBouncer in its first failing line',
  () => {
    let certificates: Certificates
    const started: PgBouncerServer[] = []
    beforeAll(async () => {
      certificates = await makeCertificates()
    })
    afterAll(async () => {
      for (const server of started) await server.stop()
      await certificates.remove()
    })
    async function start(
      options: Partial<Parameters<typeof startPgBouncer>[0]>,
    ): Promise<PgBouncerServer> {
      const users = { [user]: password }
      const server = await startPgBouncer({ upstream: servers.postgres, users, ...options })
      started.push(server)
      return server
    }

    it('a password that is wrong, after a single attempt', async () => {
      const log: string[] = []
      const pooler = await startPgBouncer({
        ...{ upstream: servers.postgres, users: { [user]: password } },
        onLog: (line) => log.push(line),
      })
      const report = await examine([pooler.url({ password: 'hunter2' })])
      const { stdout } = await runDoctor([pooler.url({ password: 'hunter2' })])
      await pooler.stop()
      expect(report.firstFailure).toMatchObject({ step: 'login', code: 'ERR_AUTH_PASSWORD' })
      expect(firstFailingLine(stdout)).toContain('refused user or password')
      const refused = log.filter((line) => /closing because: SASL authentication failed/.test(line))
      expect(refused).toHaveLength(2)
      // The other is of who waited for PgBouncer to be up.
      const attempts = log.filter((line) =>
        line.includes(`login attempt: db=postgres user=${user} `),
      )
      expect(attempts, log.join('\n')).toHaveLength(2)
    })

    it('a certificate that has expired', async () => {
      const { certFile, keyFile } = certificates.expired
      const pooler = await start({ tls: { certFile, keyFile } })
      const found = await cause(`${pooler.url()}?sslmode=verify-full`, '--ca', certificates.ca.file)
      expect(found).toMatchObject({ step: 'tls', code: 'certificate-expired' })
      expect(found.line).toContain('expired on 2020-02-01')
      expect(step(found.report, 'login').verdict).toBe('skipped')
    })

    it('a certificate for another name', async () => {
      const { certFile, keyFile } = certificates.otherName
      const pooler = await start({ tls: { certFile, keyFile } })
      const parameters = [`${pooler.url()}?sslmode=verify-full`, '--ca', certificates.ca.file]
      const found = await cause(...parameters)
      expect(found).toMatchObject({ step: 'tls', code: 'certificate-other-name' })
      expect(found.line).toContain('other.example')
      const named = await examine([...parameters, '--server-name', 'other.example'])
      expect(named).toMatchObject({
        verdict: 'warning',
        recommendation: { options: { tls: { serverName: 'other.example' } } },
      })
    })

    it('a certificate of a private authority', async () => {
      const { certFile, keyFile } = certificates.server
      const pooler = await start({ tls: { certFile, keyFile } })
      const found = await cause(`${pooler.url()}?sslmode=verify-full`)
      expect(found).toMatchObject({ step: 'tls', code: 'certificate-private' })
      expect(found.line).toContain('nullpool test CA')
    })

    it('that there is no TLS', async () => {
      const pooler = await start({})
      const found = await cause(`${pooler.url()}?sslmode=require`)
      expect(found).toMatchObject({ step: 'tls', code: 'ERR_TLS_REFUSED' })
      expect(found.line).toContain('does not speak TLS')
    })

    it('session mode', async () => {
      const pooler = await start({ poolMode: 'session' })
      const found = await cause(pooler.url())
      expect(found).toMatchObject({ step: 'mode', code: 'session-mode' })
      expect(found.line).toContain('This pooler is in session mode')
      expect(step(found.report, 'measure').verdict).toBe('ok')
      expect(await examine([pooler.url(), '--stationary'])).toMatchObject({
        exitCode: 0,
        verdict: 'ok',
      })
    })

    it('session mode, where there is one backend', async () => {
      const pooler = await start({ poolMode: 'session', poolSize: 1 })
      const found = await cause(pooler.url(), '--timeout', '1000')
      expect(found).toMatchObject({ step: 'mode', code: 'session-mode' })
    })

    it('that it takes no more clients', async () => {
      const pooler = await start({ maxClientConnections: 1 })
      const neighbour = postgres(pooler.url(), { max: 1, prepare: false })
      await neighbour`select 1`
      const found = await cause(pooler.url())
      await neighbour.end()
      expect(found).toMatchObject({ step: 'login', code: 'ERR_POOLER_FULL' })
      expect(found.line).toContain('max_client_conn')
    })

    it('that every backend is taken', async () => {
      const pooler = await start({ poolSize: 1, settings: { query_wait_timeout: '1' } })
      const neighbour = postgres(pooler.url(), { max: 1, prepare: false })
      const found = await neighbour.begin(async (sql) => {
        await sql`select 1`
        return await cause(pooler.url())
      })
      await neighbour.end()
      expect(found).toMatchObject({ step: 'mode', code: 'ERR_POOLER_FULL' })
      expect(found.line).toContain('no free database connection')
    })

    it('that there is no such database, and then that the pooler waits for it', async () => {
      const pooler = await start({})
      const url = pooler.url({ database: 'nowhere' })
      const { stdout, exitCode } = await runDoctor([url])
      expect(exitCode).toBe(2)
      expect(firstFailingLine(stdout)).toContain('The server has no such database')
      // From here on PgBouncer keeps its clients waiting, for server_login_retry.
      const found = await cause(url, '--timeout', '1000')
      expect(found).toMatchObject({ step: 'login', code: 'login-unanswered' })
      expect(found.line).toContain('does not answer the login')
    })
  },
)
