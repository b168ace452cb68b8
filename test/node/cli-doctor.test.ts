import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { STEPS } from '../../src/cli/doctor/report.ts'
import { type PgBouncerServer, startPgBouncer } from '../../src/cli/pgbouncer-server.ts'
import { SUPABASE_HOST } from '../support/certificates.ts'
import { startNameServer } from '../support/name-server.ts'
import { examine, step } from '../support/run-doctor.ts'
import { databaseUrl } from '../support/servers.ts'
import { readTls, StrictPoolerBed } from '../support/strict-pooler-bed.ts'

const servers = inject('servers')
const { user, password } = servers.postgres

let bed: StrictPoolerBed
beforeAll(async () => {
  bed = await StrictPoolerBed.create()
})
afterEach(() => bed.clear())
afterAll(() => bed[Symbol.asyncDispose]())

const verdicts = (report: Awaited<ReturnType<typeof examine>>) =>
  Object.fromEntries(report.steps.map((one) => [one.step, one.verdict]))

describe('nullpool doctor of Postgres itself', () => {
  it('goes every step, and warns that no pooler is in between', async () => {
    await bed.database.sql`create extension if not exists pg_trgm`
    const report = await examine([bed.database.url(servers.postgres)])
    expect(report).toMatchObject({ schema: 1, verdict: 'warning', exitCode: 0 })
    expect(report.steps.map((one) => one.step)).toEqual(STEPS)
    expect(verdicts(report)).toMatchObject({
      login: 'ok',
      mode: 'warning',
      server: 'ok',
      measure: 'ok',
    })
    expect(step(report, 'login').data).toMatchObject({ method: 'scram-sha-256', user })
    expect(step(report, 'mode').data).toMatchObject({
      ...{ pooler: 'none', mode: 'direct', preparedStatements: 'kept', listen: true },
    })
    const { data } = step(report, 'server')
    expect(data).toMatchObject({
      maxConnections: 300,
      usableConnections: 297,
      role: user,
      isSuperuser: true,
    })
    expect(data.version).toMatch(/^18\./)
    expect(data.extensions).toEqual([{ name: 'pg_trgm', version: expect.any(String) }])
    expect(data.connections).toMatchObject({
      by: expect.arrayContaining([
        { user, application: 'nullpool', database: bed.database.name, count: 1 },
      ]),
    })
    expect(report.recommendation?.options).toEqual({ pooler: 'postgres' })
  })

  it('tells the time limits of the role', async () => {
    const { sql, name } = bed.database
    await sql.unsafe(`alter role ${user} in database ${name} set statement_timeout = '8s'`)
    const report = await examine([bed.database.url(servers.postgres)])
    await sql.unsafe(`alter role ${user} in database ${name} reset statement_timeout`)
    expect(step(report, 'server').data).toMatchObject({
      statementTimeout: '8s',
      timeouts: [{ role: user, database: name, setting: 'statement_timeout', value: '8s' }],
    })
  })

  it('sees as an ordinary role who is connected, and goes on where it may not look', async () => {
    const { sql, name } = bed.database
    const role = `${name}_reader`
    await sql.unsafe(`create role ${role} login password 'reader'`)
    await sql.unsafe('revoke select on pg_extension from public')
    const login = { user: role, password: 'reader' }
    const refused = await examine([databaseUrl(servers.postgres, name, login)])
    await sql.unsafe('grant select on pg_extension to public')
    const report = await examine([databaseUrl(servers.postgres, name, login)])
    await sql.unsafe(`drop role ${role}`)
    expect(step(refused, 'server')).toMatchObject({
      verdict: 'warning',
      notes: [{ code: 'statement-refused' }],
    })
    expect(step(refused, 'measure').verdict).toBe('ok')
    const { connections, isSuperuser } = step(report, 'server').data as {
      connections: { by: { user: string; database: string }[] }
      isSuperuser: boolean
    }
    expect(isSuperuser).toBe(false)
    const here = connections.by.filter(({ database }) => database === name)
    expect(new Set(here.map((one) => one.user))).toEqual(new Set([user, role]))
  })

  it('shows the chain of an authority that was named, and who else would trust it', async () => {
    const url = bed.database.url(servers.postgres, { query: '?sslmode=verify-full' })
    const report = await examine([url, '--ca', servers.caFile])
    expect(verdicts(report)).toMatchObject({ tls: 'warning', login: 'ok' })
    const { data } = step(report, 'tls')
    expect(data.trust).toEqual({
      node: null,
      deno: null,
      workers: expect.stringMatching(/CERT|LEAF|ISSUER/),
    })
    expect(data.chain).toMatchObject([
      { subject: 'server', issuer: 'nullpool test CA' },
      { subject: 'nullpool test CA', issuer: 'nullpool test CA' },
    ])
    const { profiles } = step(report, 'measure').data as { profiles: object[] }
    expect(profiles).toMatchObject([
      { profile: 'universal', applies: true, coldRoundTrips: 7 },
      { profile: 'pipelined', applies: true, coldRoundTrips: 5 },
      // Postgres has it from 17 on.
      { profile: 'direct', applies: true, coldRoundTrips: 4 },
    ])
    expect(data.protocol).toBe('TLSv1.3')
    expect(report.recommendation?.options).toMatchObject({
      pooler: 'postgres',
      tls: { ca: expect.any(String) },
    })
  })

  it('finds what NODE_EXTRA_CA_CERTS has added, and that Deno and Workers have not', async () => {
    const url = bed.database.url(servers.postgres, { query: '?sslmode=verify-full' })
    const environment = { NODE_EXTRA_CA_CERTS: servers.caFile }
    const report = await examine([url], { environment })
    const { trust } = step(report, 'tls').data as { trust: Record<string, string | null> }
    expect(trust.node).toBeNull()
    expect([trust.deno, trust.workers].every((refusal) => typeof refusal === 'string')).toBe(true)
    expect(step(report, 'tls').notes.map(({ code }) => code)).toEqual([
      'deno-untrusted',
      'workers-untrusted',
    ])
    expect(await examine([url, '--strict'], { environment })).toMatchObject({ exitCode: 1 })
  })

  it('counts DENO_CERT of this machine, and does not advise what is there already', async () => {
    const url = bed.database.url(servers.postgres, { query: '?sslmode=verify-full' })
    const folder = await mkdtemp(join(tmpdir(), 'nullpool-doctor-'))
    const otherFile = join(folder, 'other.pem')
    await writeFile(otherFile, servers.otherCa)
    const seen = async (file: string, extra = servers.caFile) => {
      const environment = { NODE_EXTRA_CA_CERTS: extra, DENO_CERT: file }
      return step(await examine([url], { environment }), 'tls').notes
    }
    expect((await seen(servers.caFile)).map(({ code }) => code)).toEqual(['workers-untrusted'])
    const [other] = await seen(otherFile)
    expect(other).toMatchObject({ code: 'deno-untrusted' })
    expect(other?.message).toContain(
      `DENO_CERT is set, and ${otherFile} does not hold its authority`,
    )
    expect(other?.fix).not.toContain('set DENO_CERT')
    const [missing] = await seen(join(folder, 'missing.pem'))
    expect(missing?.message).toContain('DENO_CERT is set, and the file cannot be read (ENOENT)')
    const [untrusted] = await seen(otherFile, otherFile)
    expect(untrusted).toMatchObject({ code: 'certificate-private' })
    expect(untrusted?.fix).toContain(
      'put it into the file of NODE_EXTRA_CA_CERTS, and into that of DENO_CERT',
    )
    await rm(folder, { recursive: true })
  })

  it('takes TLS without asking for it, where the string says so', async () => {
    const query = '?sslmode=verify-full&sslnegotiation=direct'
    const report = await examine([
      bed.database.url(servers.postgres, { query }),
      '--ca',
      servers.caFile,
    ])
    expect(verdicts(report)).toMatchObject({ tls: 'warning', login: 'ok', measure: 'ok' })
    expect(step(report, 'measure').data).toMatchObject({
      profileInUse: 'direct',
      profiles: expect.arrayContaining([
        expect.objectContaining({ profile: 'direct', applies: true, coldRoundTrips: 4 }),
      ]),
    })
  })

  it('reaches an address under the name that was asked for', async () => {
    await using names = await startNameServer({ [SUPABASE_HOST]: { a: ['127.0.0.1'] } })
    const { port } = servers.postgres
    const url = databaseUrl({ host: SUPABASE_HOST, port }, bed.database.name, { user, password })
    const report = await examine([url, '--resolver', names.address, '--ca', servers.caFile])
    expect(step(report, 'dns').data).toMatchObject({ a: ['127.0.0.1'], aaaa: [] })
    expect(step(report, 'tls').data).toMatchObject({ serverName: SUPABASE_HOST })
    expect(step(report, 'login').verdict).toBe('ok')
  })

  it('refuses whoever calls himself Supabase and is not, without logging in', async () => {
    await using names = await startNameServer({ [SUPABASE_HOST]: { a: ['127.0.0.1'] } })
    const { port } = servers.postgres
    const url = databaseUrl({ host: SUPABASE_HOST, port }, bed.database.name, { user, password })
    const report = await examine([url, '--resolver', names.address])
    expect(report.firstFailure).toMatchObject({ step: 'tls', code: 'certificate-private' })
    expect(step(report, 'login').verdict).toBe('skipped')
  })
})

describe.skipIf(!servers.pgbouncer)('nullpool doctor of PgBouncer', () => {
  it('proves transaction mode by the backends, and leaves nothing in them', async () => {
    const at = servers.pgbouncer ?? servers.postgres
    const report = await examine([bed.database.url(at), '--strict'])
    expect(report).toMatchObject({ verdict: 'ok', exitCode: 0 })
    const { data } = step(report, 'mode')
    expect(data).toMatchObject({
      pooler: 'pgbouncer',
      mode: 'transaction',
      listen: false,
      preparedStatements: 'kept',
    })
    const pids = data.pids as { connection: string; pid: string }[]
    expect(new Set(pids.map(({ connection }) => connection))).toEqual(new Set(['first', 'second']))
    expect(report.recommendation?.options).toEqual({ pooler: 'pgbouncer' })
    const measured = step(report, 'measure').data as {
      profiles: { profile: string; applies: boolean; coldRoundTrips: number }[]
    }
    expect(measured.profiles).toMatchObject([
      { profile: 'universal', applies: true, coldRoundTrips: 5 },
      { profile: 'pipelined', applies: true, coldRoundTrips: 3 },
      { profile: 'hyperdrive', applies: false, coldRoundTrips: 3 },
    ])
  })

  it('sees nothing of it in the backend that it has used', async () => {
    const pooler: PgBouncerServer = await startPgBouncer({
      ...{ upstream: servers.postgres, users: { [user]: password }, poolSize: 1 },
    })
    try {
      const url = pooler.url({ database: bed.database.name })
      expect(await examine([url])).toMatchObject({ verdict: 'ok' })
      const [row] = await bed.database.sql`
        select count(*)::int as backends from pg_stat_activity
        where datname = ${bed.database.name} and application_name = 'nullpool' and state <> 'idle'`
      expect(row).toEqual({ backends: 0 })
      const { default: postgres } = await import('postgres')
      const sql = postgres(url, { max: 1, prepare: false })
      expect(await sql`select name from pg_prepared_statements`).toEqual([])
      expect(await sql`select * from pg_listening_channels()`).toEqual([])
      await sql.end()
    } finally {
      await pooler.stop()
    }
  })

  it('tells that the server asks for nothing', async () => {
    const pooler = await startPgBouncer({
      ...{ upstream: servers.postgres, users: { [user]: password }, authType: 'trust' },
    })
    const report = await examine([pooler.url()])
    await pooler.stop()
    expect(step(report, 'login').data.method).toBe('trust')
    // What is begun early is begun with SCRAM, which such a server takes for a mistake.
    expect(report.recommendation?.options).toEqual({})
  })
})

describe('nullpool doctor of the model of Supavisor', () => {
  it('finds transaction mode over TLS and offends it in nothing', async () => {
    const pooler = await bed.start({ tls: await readTls(), requireTls: true })
    const login = bed.login(pooler)
    const url = `${databaseUrl(pooler, login.database, login)}?sslmode=verify-full`
    const report = await examine([url, '--ca', servers.caFile])
    expect(step(report, 'mode').data).toMatchObject({ pooler: 'supavisor', mode: 'transaction' })
    expect(report.recommendation?.options).toMatchObject({ pooler: 'supavisor' })
    expect(report).toMatchObject({ exitCode: 0, verdict: 'warning' })
    expect(pooler.stats.violations).toEqual([])
    // The second proves the mode, and comes only behind the first.
    expect(pooler.stats.logins).toBe(2)
    expect(pooler.stats.backendsDestroyed).toBe(0)
  })
})
