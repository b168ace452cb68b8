import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { assertPortFree, PortInUseError } from '../../src/cli/free-port.ts'
import {
  findPgBouncer,
  type PgBouncerServer,
  startPgBouncer,
} from '../../src/cli/pgbouncer-server.ts'
import { type PostgresServer, startPostgres } from '../../src/cli/postgres-server.ts'
import {
  connected,
  exists,
  makeFolder,
  nullpoolFolders,
  serverPort,
  stillAlive,
  withPortTaken,
} from '../support/local-machine.ts'

const withoutPgBouncer = (await findPgBouncer()) === undefined
const tls = inject('servers').certificateFiles
const trusted = { ca: inject('servers').ca }

describe.skipIf(withoutPgBouncer)('startPgBouncer', () => {
  let upstream: PostgresServer
  let users: Record<string, string>
  beforeAll(async () => {
    upstream = await startPostgres()
    users = { [upstream.user]: upstream.password }
  })
  afterAll(() => upstream.stop())

  const started: PgBouncerServer[] = []
  afterEach(async () => {
    for (const server of started.splice(0)) await server.stop()
  })
  async function start(
    options: Partial<Parameters<typeof startPgBouncer>[0]> = {},
  ): Promise<PgBouncerServer> {
    const server = await startPgBouncer({ upstream, users, ...options })
    started.push(server)
    return server
  }

  it('runs several side by side, each in front of its own Postgres', async () => {
    const other = await startPostgres()
    const poolers = await Promise.all([
      start(),
      start({ upstream: other, users: { [other.user]: other.password } }),
    ])
    const ports = await Promise.all(poolers.map((pooler) => serverPort(pooler.url())))
    await other.stop()
    expect(ports).toEqual([upstream.port, other.port])
  })

  it('does SCRAM with its clients', async () => {
    const pooler = await start()
    const [row] = await connected(
      pooler.url(),
      (sql) => sql`select ${41}::int + 1 as answer, current_user as user`,
    )
    expect(row).toEqual({ answer: 42, user: upstream.user })
    const settings = await connected(pooler.adminUrl, (sql) => sql.unsafe('SHOW CONFIG'))
    expect(settings.find(({ key }) => key === 'auth_type')?.value).toBe('scram-sha-256')
    const stranger = pooler.url({ password: 'not the password' })
    await expect(connected(stranger, (sql) => sql`select 1`)).rejects.toThrow(
      'SASL authentication failed',
    )
  })

  it('gives one server connection to whoever has a transaction', async () => {
    const pooler = await start({ poolSize: 1 })
    const pid = (sql: postgres.Sql) => sql`select pg_backend_pid() as pid`
    const pids = await connected(pooler.url(), async (one) =>
      // Both stay connected: in session mode the second would wait for ever.
      connected(pooler.url(), async (two) => [
        ...(await pid(one)),
        ...(await pid(two)),
        ...(await pid(one)),
      ]),
    )
    expect(pids).toHaveLength(3)
    expect(new Set(pids.map((row) => row.pid)).size).toBe(1)
  })

  it('speaks TLS where it was given a certificate, and insists on it if told', async () => {
    const pooler = await start({ tls: { ...tls, mode: 'require' } })
    const rows = await connected(
      pooler.url(),
      async (sql) => {
        await sql`select 1`
        return await connected(pooler.adminUrl, (console) => console.unsafe('SHOW CLIENTS'), {
          ssl: trusted,
        })
      },
      { ssl: trusted },
    )
    expect(rows.map((row) => row.tls.split('/')[0])).toEqual(['TLSv1.3', 'TLSv1.3'])
    await expect(connected(pooler.url(), (sql) => sql`select 1`)).rejects.toThrow('SSL required')
  })

  it('takes names and passwords with quotes in them', async () => {
    const password = `it's "quoted"`
    await connected(upstream.url(), async (sql) => {
      await sql.unsafe(`create role "a ""b""" login password 'it''s "quoted"'`)
      await sql.unsafe(`create database "it's"`)
    })
    const pooler = await start({
      users: { 'a "b"': password },
      databases: { alias: { dbname: `it's` } },
    })
    const url = pooler.url({ database: 'alias' })
    const [row] = await connected(
      url,
      (sql) => sql`select current_user as user, current_database() as database`,
    )
    expect(row).toEqual({ user: 'a "b"', database: `it's` })
  })

  it('frees port, folder and process on stop, also with a client connected', async () => {
    const pooler = await start()
    const client = postgres(pooler.url(), { max: 1, prepare: false })
    await client`select 1`
    const settings = await connected(pooler.adminUrl, (sql) => sql.unsafe('SHOW CONFIG'))
    const users = settings.find(({ key }) => key === 'auth_file')?.value
    expect(await exists(users)).toBe(true)
    await Promise.all([pooler.stop(), pooler.stop()])
    await pooler.stop()
    expect(await stillAlive([pooler.pid])).toEqual([])
    expect(await exists(users)).toBe(false)
    await assertPortFree(pooler.port)
    await client.end()
  })

  it('refuses a port that somebody has, by its number', async () => {
    await withPortTaken(async (port) => {
      const failure = await start({ port }).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(PortInUseError)
      expect(failure).toMatchObject({ port })
    })
  })

  it('ends with its parent, and so does Postgres, where that is killed', async () => {
    const folder = await makeFolder()
    const script = `
      import { startPgBouncer } from '${new URL('../../src/cli/pgbouncer-server.ts', import.meta.url)}'
      import { startPostgres } from '${new URL('../../src/cli/postgres-server.ts', import.meta.url)}'
      const upstream = await startPostgres()
      const pooler = await startPgBouncer({ upstream, users: { [upstream.user]: upstream.password } })
      console.log(JSON.stringify([upstream, pooler].map(({ pid, port }) => ({ pid, port }))))`
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(createInterface(parent.stdout), 'line')
    const servers: { pid: number; port: number }[] = JSON.parse(line)
    const processes = servers.map(({ pid }) => pid)
    expect(await stillAlive(processes)).toEqual(processes)
    expect(await nullpoolFolders(folder)).toHaveLength(2)
    parent.kill('SIGKILL')
    await expect.poll(() => nullpoolFolders(folder)).toEqual([])
    expect(await stillAlive(processes)).toEqual([])
    for (const { port } of servers) await assertPortFree(port)
    await rm(folder, { recursive: true })
  })
})
