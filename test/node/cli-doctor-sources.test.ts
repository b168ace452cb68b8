import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { startNameServer } from '../support/name-server.ts'
import { examine, runDoctor, step } from '../support/run-doctor.ts'
import { StrictPoolerBed } from '../support/strict-pooler-bed.ts'

const servers = inject('servers')

let bed: StrictPoolerBed
beforeAll(async () => {
  bed = await StrictPoolerBed.create()
})
afterAll(() => bed[Symbol.asyncDispose]())

describe('nullpool doctor', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nullpool-doctor-'))
  })
  afterEach(async () => {
    await rm(folder, { recursive: true })
    folder = await mkdtemp(join(tmpdir(), 'nullpool-doctor-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const ID = '0'.repeat(32)
  const url = () => bed.database.url(servers.postgres)
  const hyperdrive = (local: string) => `[[hyperdrive]]\nbinding = "DB"\nid = "${ID}"\n${local}`

  it.each([
    [
      '.dev.vars',
      () => `DATABASE_URL="${url()}"\n`,
      { kind: 'dev-vars', name: 'DATABASE_URL', file: '.dev.vars' },
    ],
    [
      '.env',
      () => `export POSTGRES_URL='${url()}' # local\n`,
      { kind: 'dotenv', name: 'POSTGRES_URL', file: '.env' },
    ],
    [
      'wrangler.toml',
      () => hyperdrive(`localConnectionString = "${url()}"\n`),
      { kind: 'wrangler', name: 'DB', file: 'wrangler.toml' },
    ],
    [
      'wrangler.jsonc',
      () =>
        `{ // local\n "hyperdrive": [{ "binding": "DB", "id": "${ID}", "localConnectionString": "${url()}", }] }`,
      { kind: 'wrangler', name: 'DB', file: 'wrangler.jsonc' },
    ],
  ])('finds the connection string in %s', async (file, content, source) => {
    await writeFile(join(folder, file), content())
    const report = await examine([], { directory: folder })
    expect(report.source).toEqual(source)
    expect(step(report, 'login').verdict).toBe('ok')
  })

  it('takes the argument before the environment, and that before files', async () => {
    await writeFile(join(folder, '.env'), 'DATABASE_URL=postgres://u:p@of-file.invalid/d')
    const environment = { DATABASE_URL: url() }
    const surroundings = { directory: folder, environment }
    expect(await examine([], surroundings)).toMatchObject({ source: { kind: 'environment' } })
    expect(await examine([url()], surroundings)).toMatchObject({ source: { kind: 'argument' } })
  })

  it('takes what Wrangler would for a Hyperdrive that has an id alone', async () => {
    await writeFile(join(folder, 'wrangler.toml'), hyperdrive(''))
    const name = 'CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_DB'
    const report = await examine([], { directory: folder, environment: { [name]: url() } })
    expect(report.source).toEqual({ kind: 'wrangler', name })
    const alone = await examine([], { directory: folder })
    expect(alone.firstFailure).toMatchObject({ step: 'configuration', code: 'hyperdrive-remote' })
    expect(alone.firstFailure?.fix).toContain(`npx wrangler hyperdrive get ${ID}`)
  })

  it('reads what other tools write, and warns that the package does not', async () => {
    const { host, port, user, password } = servers.postgres
    const keywords = `host=${host} port=${port} user=${user} password='${password}' dbname=${bed.database.name}`
    const report = await examine([keywords])
    expect(step(report, 'login').verdict).toBe('ok')
    expect(step(report, 'connection-string')).toMatchObject({
      verdict: 'warning',
      data: { writtenAs: 'keywords' },
      notes: [{ code: 'other-form', fix: expect.stringContaining('postgres://') }],
    })
    expect(report.recommendation?.changed).toBe(true)
    const foreign = await examine(['mysql://u:s3cret@h.example/d'])
    expect(foreign.firstFailure).toMatchObject({ step: 'connection-string', code: 'unparsable' })
    expect(JSON.stringify([report, foreign])).not.toMatch(new RegExp(`s3cret|${password}`))
  })

  it('says where it has looked, and which file cannot be read', async () => {
    await writeFile(join(folder, 'wrangler.toml'), 'name = ')
    const report = await examine([], { directory: folder })
    expect(report).toMatchObject({ exitCode: 2, firstFailure: { code: 'ERR_URL_MISSING' } })
    expect(step(report, 'configuration').notes.map(({ code }) => code)).toEqual([
      'file-unreadable',
      'ERR_URL_MISSING',
    ])
  })

  it('shows the password when it is asked to, encoded, and else nowhere', async () => {
    const secret = 'p@ss/wörd#1'
    const pooler = await bed.start({ users: { doctor: secret } })
    const role = await bed.database
      .sql`create role doctor login password ${bed.database.sql.unsafe(`'${secret}'`)}`
    expect(role).toEqual([])
    const text = `postgres://doctor.${pooler.tenant}:${secret}@${pooler.host}:${pooler.port}/${bed.database.name}`
    const hidden = [await runDoctor([text]), await runDoctor([text, '--json'])]
    const shown = await examine([text, '--show-secret'])
    await bed.clear()
    await bed.database.sql`drop role doctor`
    for (const { stdout, stderr } of hidden) {
      expect(stdout + stderr).not.toMatch(/p@ss|p%40ss|wörd/)
      expect(stdout).toContain(':***@')
    }
    expect(hidden[0]?.exitCode).toBe(0)
    expect(shown.recommendation?.url).toContain(`:${encodeURIComponent(secret)}@`)
    expect(JSON.stringify(shown.steps)).not.toMatch(/p@ss|p%40ss/)
  })

  it('changes the session port of Supabase, and writes no colours into a pipe', async () => {
    await using names = await startNameServer({})
    const text = `postgres://postgres.${'a'.repeat(20)}:p@aws-0-eu-west-1.pooler.supabase.com:5432/postgres`
    const { stdout, stderr } = await runDoctor([text, '--resolver', names.address], {
      environment: { TERM: 'xterm-256color', COLORTERM: 'truecolor' },
    })
    expect(stderr).toBe('')
    expect(stdout).not.toContain('\u001B')
    expect(stdout).toContain('aws-0-eu-west-1.pooler.supabase.com:6543/postgres')
  })

  it.each([
    [['--timeout', 'soon'], 'from 100 to 60000'],
    [['--resolver', 'dns.example'], 'an IP address'],
    [['--ca', '/nowhere.pem'], '--ca cannot be read (ENOENT).'],
  ])('refuses %s', async (parameters, reason) => {
    const { stdout, stderr, exitCode } = await runDoctor([
      'postgres://u:p@127.0.0.1:1/d',
      ...parameters,
    ])
    expect([stdout, exitCode]).toEqual(['', 2])
    expect(stderr).toContain(reason)
  })
})
