import { chmod, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { assertPortFree, PortInUseError } from '../../src/cli/free-port.ts'
import { type PostgresServer, startPostgres } from '../../src/cli/postgres-server.ts'
import { isReachable } from '../../src/cli/server-folder.ts'
import {
  connected,
  exists,
  makeFolder,
  serverPort,
  stillAlive,
  withPortTaken,
} from '../support/local-machine.ts'

const tls = inject('servers').certificateFiles
const trusted = { ca: inject('servers').ca }

describe('startPostgres', () => {
  it('runs several side by side, each for itself', async () => {
    const servers = await Promise.all([startPostgres(), startPostgres()])
    const ports = await Promise.all(servers.map((server) => serverPort(server.url())))
    await Promise.all(servers.map((server) => server.stop()))
    expect(ports).toEqual(servers.map((server) => server.port))
    expect(new Set(ports).size).toBe(2)
  })

  describe('once it is up', () => {
    let server: PostgresServer
    beforeAll(async () => {
      server = await startPostgres({ tls, settings: { work_mem: '1234kB' } })
    })
    afterAll(() => server.stop())

    it('asks for SCRAM and stores nothing else', async () => {
      const [row] = await connected(
        server.url(),
        (sql) => sql`
          select array_agg(distinct auth_method) as methods, left(rolpassword, 14) as secret
          from pg_hba_file_rules, pg_authid where rolname = ${server.user} group by rolpassword`,
        { fetch_types: true },
      )
      expect(row).toEqual({ methods: ['scram-sha-256'], secret: 'SCRAM-SHA-256$' })
      const stranger = server.url({ password: 'not the password' })
      await expect(connected(stranger, (sql) => sql`select 1`)).rejects.toMatchObject({
        code: '28P01',
      })
    })

    it('speaks TLS 1.3 with the certificate it was given', async () => {
      const [row] = await connected(
        server.url(),
        (sql) => sql`select ssl, version from pg_stat_ssl where pid = pg_backend_pid()`,
        { ssl: trusted },
      )
      expect(row).toEqual({ ssl: true, version: 'TLSv1.3' })
    })

    it('takes settings, and sorts and compares text the same on every machine', async () => {
      const [row] = await connected(
        server.url(),
        (sql) => sql`
          select current_setting('work_mem') as memory, datlocprovider as provider,
            datlocale as locale, pg_encoding_to_char(encoding) as encoding, upper('é') as upper
          from pg_database where datname = current_database()`,
      )
      expect(row).toEqual({
        memory: '1234kB',
        provider: 'b',
        locale: 'C.UTF-8',
        encoding: 'UTF8',
        upper: 'É',
      })
    })

    it('tells its version', () => {
      expect(server.version).toMatch(/^18\.\d+$/)
    })
  })

  it('frees port, folder and processes on stop, also with a client in a transaction', async () => {
    const server = await startPostgres()
    const client = postgres(server.url(), { max: 1, onclose: () => {} })
    const transaction = client.begin(async (sql) => {
      const processes = await sql<{ pid: number }[]>`select pid from pg_stat_activity`
      const [row] = await sql`select current_setting('data_directory') as folder`
      await Promise.all([server.stop(), server.stop()])
      await server.stop()
      expect(await stillAlive([server.pid, ...processes.map(({ pid }) => pid)])).toEqual([])
      expect(await exists(row?.folder)).toBe(false)
      await assertPortFree(server.port)
    })
    await expect(transaction).rejects.toThrow()
    await client.end()
  })

  it('refuses a port that somebody has, by its number', async () => {
    await withPortTaken(async (port) => {
      const failure = await startPostgres({ port }).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(PortInUseError)
      expect(failure).toMatchObject({ port, message: `Port ${port} is already in use.` })
    })
  })

  it('quotes Postgres where it does not start', async () => {
    await expect(startPostgres({ settings: { nonsense: '1' } })).rejects.toThrow(
      /unrecognized configuration parameter "nonsense"/,
    )
  })

  it('keeps a data folder that it was given, and uses it again', async () => {
    const folder = await makeFolder()
    const dataDirectory = join(folder, 'data')
    const first = await startPostgres({ dataDirectory })
    await connected(first.url(), (sql) => sql`create table kept as select 42 as answer`)
    await first.stop()
    const second = await startPostgres({ dataDirectory })
    const rows = await connected(second.url(), (sql) => sql`select answer from kept`)
    await second.stop()
    expect([...rows]).toEqual([{ answer: 42 }])
    await rm(folder, { recursive: true })
  })

  it('leaves a folder alone that holds something else', async () => {
    const folder = await makeFolder()
    await mkdir(join(folder, 'photos'))
    await expect(startPostgres({ dataDirectory: folder })).rejects.toThrow(/is not empty/)
    expect(await readdir(folder)).toEqual(['photos'])
    await rm(folder, { recursive: true })
  })
})

describe('isReachable', () => {
  it('asks every folder on the way, for the user who will go there', async () => {
    const folder = await makeFolder()
    await mkdir(join(folder, 'closed', 'open'), { recursive: true })
    await chmod(join(folder, 'closed'), 0o700)
    const somebody = { name: 'somebody', uid: 4_000_000, gid: 4_000_000 }
    const owner = { name: 'owner', uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
    expect(await isReachable(folder, somebody)).toBe(true)
    expect(await isReachable(join(folder, 'closed', 'open'), somebody)).toBe(false)
    expect(await isReachable(join(folder, 'closed', 'open'), owner)).toBe(true)
    await rm(folder, { recursive: true })
  })
})
