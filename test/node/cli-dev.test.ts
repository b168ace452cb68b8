import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { DevBed } from '../support/dev-program.ts'
import { connected, serverPort, stillAlive, withPortTaken } from '../support/local-machine.ts'

const { pgbouncer } = inject('servers')

let bed: DevBed
beforeAll(async () => {
  bed = await DevBed.make()
})
afterAll(() => bed.remove())

describe.skipIf(!pgbouncer)('nullpool dev', () => {
  // Twice: a connection string that was copied into a file is still right.
  const urls: string[] = []
  it.for(['first', 'second'])('is up, says where, and goes away, the %s time', async () => {
    await using program = bed.dev([])
    await program.line('Ctrl-C stops it.')
    const url = (await program.line('DATABASE_URL=')).slice('DATABASE_URL='.length)
    const direct = /postgres:\S+/.exec(await program.line('Past the pooler'))?.[0] ?? ''
    expect(new URL(url)).toMatchObject({ port: `${bed.port}`, username: 'app', pathname: '/app' })
    expect(await serverPort(url)).toBe(Number(new URL(direct).port))
    expect(program.errors).toEqual([
      'Creating the database files.',
      expect.stringMatching(/^Postgres 18\S* is up on port \d+\.$/),
      expect.stringMatching(/^PgBouncer \S+ is up on port \d+, in transaction mode\.$/),
    ])
    urls.push(url)
    const processes = await program.descendants()
    expect(processes.length).toBeGreaterThan(2)
    program.interrupt()
    expect(await program.exitCode).toBe(0)
    expect(program.errors.at(-1)).toBe('Stopping.')
    await bed.assertNothingLeft(processes)
    expect(new Set(urls).size).toBe(1)
  })

  it('shares a server connection between the transactions of two clients', async () => {
    await bed.whileUp([], async ({ url, pooler }) => {
      expect(pooler).toMatchObject({ mode: 'transaction' })
      const pid = (address: string) =>
        connected(address, async (first) => {
          const ask = (sql: typeof first) => sql<{ pid: number }[]>`select pg_backend_pid() as pid`
          return await connected(address, async (second) => {
            const rows = [await ask(first), await ask(second), await ask(first)]
            return new Set(rows.map(([row]) => row?.pid)).size
          })
        })
      expect(await pid(url)).toBe(1)
    })
  })

  it('lets the application make what it needs, and nothing of the superuser’s', async () => {
    await bed.whileUp([], async ({ url }) => {
      await connected(url, async (sql) => {
        await sql`create schema accounts`
        await sql`create extension pgcrypto`
        await sql`create role reader`
        await sql`create database shadow`
        await sql`set role reader`
        await expect(sql`copy (select 1) to program 'true'`).rejects.toMatchObject({
          code: '42501',
        })
      })
    })
  })
})

describe('nullpool dev, where there is no PgBouncer', () => {
  it('says how to get it, and what is different without', async () => {
    const without = { PGBOUNCER: '' }
    await bed.whileUp(
      [],
      async ({ url, pooler }, program) => {
        expect(pooler).toBeNull()
        expect(await serverPort(url)).toBe(bed.port)
        const said = program.errors.join('\n')
        expect(said).toMatch(/apt-get install pgbouncer.*brew install pgbouncer/)
        expect(said).toMatch(/What is different then: .*SET, LISTEN.*would lose/)
      },
      without,
    )
  })
})

describe('nullpool dev -- command', () => {
  const node = ['--', process.execPath, '--input-type=module', '-e']
  const connect = `
    const { default: postgres } = await import(${JSON.stringify(join(process.cwd(), 'node_modules/postgres/src/index.js'))})
    const sql = postgres(process.env.DATABASE_URL, { prepare: false })
    const [{ name }] = await sql\`select current_user::text as name\``

  it('gives it the connection string, and passes on its output and its exit code', async () => {
    await using program = bed.dev([
      ...node,
      `${connect}; console.log('I am', name); process.exit(7)`,
    ])
    expect(await program.exitCode).toBe(7)
    expect(program.lines).toEqual(['I am app'])
    expect(program.errors.join()).not.toMatch(/postgres:\/\//)
    await bed.assertNothingLeft()
  })

  it.for(['SIGINT', 'SIGTERM'] as const)('passes %s on, and waits for it', async (signal) => {
    const script = `${connect}
      process.once('${signal}', async () => {
        const [{ one }] = await sql\`select 1 as one\`
        console.log('still there:', one)
        process.exit(3)
      })
      console.log('ready')
      setInterval(() => {}, 1000)`
    await using program = bed.dev([...node, script])
    await program.line('ready')
    const processes = await program.descendants()
    program.interrupt(signal)
    expect(await program.exitCode).toBe(3)
    expect(program.lines).toEqual(['ready', 'still there: 1'])
    await bed.assertNothingLeft(processes)
  })

  it('ends with 128 and the number of the signal that ended it', async () => {
    await using program = bed.dev([...node, `process.kill(process.pid, 'SIGKILL')`])
    expect(await program.exitCode).toBe(137)
    await bed.assertNothingLeft()
  })

  it('ends the command and what that has started where it is killed itself', async () => {
    const child = `require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])`
    await using program = bed.dev([
      ...[
        '--',
        process.execPath,
        '-e',
        `${child}; console.log('ready'); setInterval(() => {}, 1000)`,
      ],
    ])
    await program.line('ready')
    const processes = await program.descendants()
    expect(processes.length).toBeGreaterThan(4)
    program.interrupt('SIGKILL')
    await program.exitCode
    await expect.poll(() => stillAlive(processes), { timeout: 20_000 }).toEqual([])
    await expect.poll(() => bed.assertNothingLeft().then(() => true, String)).toBe(true)
  })

  it('says so where there is no such program', async () => {
    await using program = bed.dev(['--', 'no-such-program'])
    expect(await program.exitCode).toBe(127)
    expect(program.errors.at(-1)).toBe('nullpool: "no-such-program" cannot be run (ENOENT).')
    await bed.assertNothingLeft()
  })
})

describe('nullpool dev, asked for what cannot be', () => {
  it('says in one line that the port is taken, and how to choose another', async () => {
    await withPortTaken(async (port) => {
      await using program = bed.dev(['--port', `${port}`])
      expect(await program.exitCode).toBe(2)
      expect(program.errors).toEqual([
        expect.stringMatching(
          RegExp(
            `^nullpool: Port ${port} is already in use\\. Stop what listens there, or choose another one: --port \\d+$`,
          ),
        ),
      ])
    })
  })

  it.for([
    [['--port', 'soon'], 'It takes a port from 1 to 65535.'],
    [['--sql', 'no-such.sql'], 'The file no-such.sql cannot be read (ENOENT).'],
    [['--migrations', 'no-such'], 'The folder no-such cannot be read (ENOENT).'],
    [['--json', '--', 'true'], '--json goes without one.'],
  ] as const)('%o', async ([parts, words]) => {
    await using program = bed.dev(parts)
    expect(await program.exitCode).not.toBe(0)
    expect(program.errors.join('\n')).toContain(words)
    expect(program.lines).toEqual([])
    await bed.assertNothingLeft()
  })
})
