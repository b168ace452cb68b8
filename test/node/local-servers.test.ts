import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { assertPortFree, findFreePort, PortInUseError } from '../../src/cli/free-port.ts'
import {
  findPgBouncer,
  type PgBouncerServer,
  startPgBouncer,
} from '../../src/cli/pgbouncer-server.ts'
import { type PostgresServer, startPostgres } from '../../src/cli/postgres-server.ts'
import { isReachable } from '../../src/cli/server-folder.ts'

const withoutPgBouncer = (await findPgBouncer()) === undefined
const tls = inject('servers').certificateFiles
const trusted = { ca: inject('servers').ca }

/** Runs one piece of work on a connection of its own. */
async function connected<Result>(
  url: string,
  work: (sql: postgres.Sql) => Promise<Result>,
  options: postgres.Options<Record<string, never>> = {},
): Promise<Result> {
  const sql = postgres(url, { max: 1, prepare: false, fetch_types: false, ...options })
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}

const serverPort = (url: string) =>
  connected(url, async (sql) => {
    const [row] = await sql<{ port: number }[]>`select inet_server_port() as port`
    return row?.port
  })

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

/** A folder that also the user of a server started by root can go into. */
async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nullpool-test-'))
  await chmod(folder, 0o777)
  return folder
}

async function withPortTaken(work: (port: number) => Promise<void>): Promise<void> {
  const port = await findFreePort()
  const occupant = createServer().listen(port, '127.0.0.1')
  await once(occupant, 'listening')
  try {
    await work(port)
  } finally {
    occupant.close()
  }
}

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
      expect([server.pid, ...processes.map(({ pid }) => pid)].filter(isAlive)).toEqual([])
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
      databases: { 'a "b"': { dbname: `it's` } },
    })
    const url = pooler.url({ database: 'a "b"' })
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
    expect(isAlive(pooler.pid)).toBe(false)
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
    expect(servers.map(({ pid }) => isAlive(pid))).toEqual([true, true])
    expect(await nullpoolFolders(folder)).toHaveLength(2)
    parent.kill('SIGKILL')
    await expect.poll(() => nullpoolFolders(folder), { timeout: 10_000 }).toEqual([])
    expect(servers.filter(({ pid }) => isAlive(pid))).toEqual([])
    for (const { port } of servers) await assertPortFree(port)
    await rm(folder, { recursive: true })
  })
})

async function nullpoolFolders(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('nullpool-'))
}

/** `npm start` as a child process, without the build, which `npm test` has done. */
class StartedProgram {
  readonly lines: string[] = []
  readonly errors: string[] = []
  readonly exitCode: Promise<number | null>
  readonly #child: ChildProcess
  #changed = Promise.withResolvers<void>()

  constructor(environment: Record<string, string>) {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('../../src/cli/start.ts', import.meta.url))],
      { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    this.#child = child
    for (const [stream, lines] of [
      [child.stdout, this.lines],
      [child.stderr, this.errors],
    ] as const) {
      createInterface(stream).on('line', (line) => {
        lines.push(line)
        this.#tell()
      })
    }
    this.exitCode = once(child, 'close').then(([code]) => {
      this.#tell()
      return code
    })
  }

  #tell(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  /** Waits for a line that holds the text. */
  async line(text: string | RegExp): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => line.match(text))
      if (found !== undefined) return found
      if (this.#child.exitCode !== null) {
        throw new Error(`No line says ${text}:\n${[...this.lines, ...this.errors].join('\n')}`)
      }
      await this.#changed.promise
    }
  }

  interrupt(): void {
    this.#child.kill('SIGINT')
  }

  /** Everybody below it at this moment. */
  async descendants(): Promise<number[]> {
    const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid='])
    const table = stdout
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
    const found = [this.#child.pid]
    for (const parent of found) {
      found.push(...table.filter(([, ppid]) => ppid === parent).map(([pid]) => pid))
    }
    return found.slice(1).filter((pid) => pid !== undefined)
  }
}

describe('npm start', () => {
  let folder: string
  let environment: { PORT: string; POOLER_PORT: string; TMPDIR: string }
  beforeAll(async () => {
    folder = await makeFolder()
    const [port, poolerPort] = [await findFreePort(), await findFreePort()]
    environment = { PORT: `${port}`, POOLER_PORT: `${poolerPort}`, TMPDIR: folder }
  })
  afterAll(() => rm(folder, { recursive: true }))

  async function expectNothingLeft(processes: readonly number[]): Promise<void> {
    expect(processes.filter(isAlive)).toEqual([])
    expect(await nullpoolFolders(folder)).toEqual([])
    await assertPortFree(Number(environment.PORT))
    await assertPortFree(Number(environment.POOLER_PORT))
  }

  // Twice, on the same ports: the second start finds nothing of the first in its way.
  it.for(['first', 'second'])('answers, logs and goes away, the %s time', async () => {
    const program = new StartedProgram(environment)
    const address = `http://127.0.0.1:${environment.PORT}`
    expect(await program.line('Try it')).toBe(`Try it: curl ${address}/books`)
    expect(program.lines[0]).toBe(
      'Starting Postgres, PgBouncer and the example Worker. Ctrl-C stops them.',
    )
    const response = await fetch(`${address}/books`)
    expect(response.status).toBe(200)
    expect(await response.json()).toHaveLength(20)
    expect(await program.line('GET')).toMatch(/^GET \/books 200 \d+ ms, 1 query, \d+ round trips?$/)
    const processes = await program.descendants()
    expect(processes.length).toBeGreaterThan(5)
    program.interrupt()
    await program.line('Stopping.')
    program.interrupt()
    expect(await program.exitCode).toBe(0)
    expect(program.errors).toEqual([])
    await expectNothingLeft(processes)
  })

  it('goes away while it is still starting', async () => {
    const program = new StartedProgram(environment)
    await program.line('Creating the database files.')
    program.interrupt()
    expect(await program.exitCode).toBe(0)
    expect(program.lines.at(-1)).toBe('Stopping.')
    await expectNothingLeft([])
  })

  it('puts Postgres on the port of the pooler where there is no PgBouncer', async () => {
    const program = new StartedProgram({ ...environment, PGBOUNCER: '' })
    await program.line('Try it')
    expect(await program.line('PgBouncer is not installed')).toMatch(
      /Postgres itself listens on \d+.*apt-get install pgbouncer.*brew install pgbouncer/,
    )
    const response = await fetch(`http://127.0.0.1:${environment.PORT}/books`)
    expect(response.status).toBe(200)
    program.interrupt()
    expect(await program.exitCode).toBe(0)
    await expectNothingLeft([])
  })

  it.for(['PORT', 'POOLER_PORT'])('says in one line that %s is taken', async (variable) => {
    await withPortTaken(async (port) => {
      const program = new StartedProgram({ ...environment, [variable]: `${port}` })
      expect(await program.exitCode).toBe(1)
      expect(program.errors).toEqual([
        `Port ${port} is already in use. Stop what listens there, or choose another one: ${variable}=${port + 1} npm start`,
      ])
      await expectNothingLeft([])
    })
  })

  it('says in one line that a port is none', async () => {
    const program = new StartedProgram({ ...environment, PORT: 'soon' })
    expect(await program.exitCode).toBe(1)
    expect(program.errors).toEqual(['PORT must be a port from 1 to 65535, and is "soon".'])
  })
})
