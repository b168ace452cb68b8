import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { ConnectionsSnapshot } from '../../src/cli/connections/snapshot.ts'
import { CommandLine, runCommand } from '../support/command-line.ts'
import { look } from '../support/connections-look.ts'
import { answerHeldBack, startCountingProxy } from '../support/counting-proxy.ts'
import { makeFolder } from '../support/local-machine.ts'
import { runNullpool } from '../support/run-nullpool.ts'
import { startStrictPooler } from '../support/strict-pooler.ts'
import { TcpServer } from '../support/tcp-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres: server, caFile } = inject('servers')

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

describe('nullpool connections', () => {
  it('prints one JSON document of who is connected', async () => {
    const url = database.url(server)
    const shop = postgres(url, { max: 3, connection: { application_name: 'shop' } })
    await Promise.all([1, 2, 3].map(() => shop`select pg_sleep(0.2)`))
    const snapshot = await look([], { DATABASE_URL: url })
    await shop.end()
    expect(snapshot.format).toBe(1)
    expect(snapshot.server).toMatchObject({
      maxConnections: 300,
      dataApiLimit: 120,
      highestLimit: 240,
    })
    expect(snapshot.connections.find(({ application }) => application === 'shop')).toEqual({
      route: 'unknown',
      role: server.user,
      application: 'shop',
      database: database.name,
      state: 'idle',
      connections: 3,
      oldestTransactionSeconds: null,
    })
    expect(snapshot.sources).toMatchObject([
      { name: 'postgres', state: 'answered' },
      { name: 'pgbouncer', state: 'not asked' },
      { name: 'supabase', state: 'not asked' },
    ])
  })

  it('prints tables without colours into a pipe', async () => {
    const { stdout, stderr, exitCode } = await runCommand(['connections', database.url(server)])
    expect([stderr, exitCode]).toEqual(['', 0])
    expect(stdout).toMatch(/^\d+ of 300 connections \(\d+ %\)/)
    expect(stdout).toMatch(/│ connections │ route +│ role/)
    expect(stdout).toContain('nullpool connections')
    expect(stdout).not.toContain('\x1b')
    expect(stdout).not.toContain(server.password)
  })

  it('is itself among what it sees, by its name', async () => {
    const { connections } = await look([database.url(server)])
    expect(connections.find(({ state }) => state === 'active')?.application).toBe(
      'nullpool connections',
    )
  })

  it('looks again and again with --watch, one document a line', async () => {
    const parameters = ['connections', database.url(server), '--json', '--watch', '0.2']
    await using command = new CommandLine(parameters)
    await command.until(({ stdout }) => stdout.split('\n').length > 3)
    command.interrupt()
    expect(await command.exitCode).toBe(0)
    const lines = command.printed.stdout.trim().split('\n')
    const times = lines.map((line) => (JSON.parse(line) as ConnectionsSnapshot).takenAt)
    expect(new Set(times).size).toBe(times.length)
    expect(command.printed.stderr).toBe('')
  })

  it('keeps one connection from look to look', async () => {
    const parameters = ['connections', database.url(server), '--json', '--watch', '0.2']
    const pid = async (): Promise<number[]> => {
      const rows = await database.sql<{ pid: number }[]>`
        select pid from pg_stat_activity
        where datname = ${database.name} and application_name = 'nullpool connections'`
      return rows.map((row) => row.pid)
    }
    await using command = new CommandLine(parameters)
    await command.until(({ stdout }) => stdout.split('\n').length > 1)
    const first = await pid()
    await command.until(({ stdout }) => stdout.split('\n').length > 4)
    expect(await pid()).toEqual(first)
    expect(first).toHaveLength(1)
    // It is opened again where the server ends it.
    await database.sql`select pg_terminate_backend(${first[0] ?? 0})`
    const seen = command.printed.stdout.split('\n').length
    await command.until(({ stdout }) => stdout.split('\n').length > seen + 3)
    expect(await pid()).not.toEqual(first)
    const last: ConnectionsSnapshot = JSON.parse(
      command.printed.stdout.trim().split('\n').at(-1) ?? '',
    )
    expect(last.sources[0]?.state).toBe('answered')
  })

  it('warns of transactions that do nothing, and shows their statement without literals', async () => {
    const held = postgres(database.url(server), {
      max: 1,
      connection: { application_name: 'held' },
    })
    const reserved = await held.reserve()
    await reserved`begin`
    await reserved.unsafe(`select 'a secret value', 4711, $1::text /* a remark */`, ['parameter'])
    const url = database.url(server)
    const { warnings, idleTransactions } = await look([url, '--idle-limit', '0', '--queries'])
    expect(warnings[0]).toMatchObject({ code: 'idle-in-transaction' })
    expect(warnings[0]?.message).toContain('held')
    const idle = idleTransactions.find(({ application }) => application === 'held')
    expect(idle?.query).toBe('select ?, ?, $1::text')
    // Not asked for, not shown; and a minute is allowed.
    const quiet = await look([url])
    expect(quiet.idleTransactions.length).toBeGreaterThan(0)
    expect(JSON.stringify(quiet)).not.toContain('select')
    expect(quiet.warnings).toEqual([])
    const strict = await runCommand(['connections', url, '--once', '--strict', '--idle-limit', '0'])
    expect(strict.exitCode).toBe(1)
    expect(strict.stdout).toContain('warning')
    await reserved`rollback`
    reserved.release()
    await held.end()
  })

  it.for([
    [['--once'], 'SIGINT', 130],
    [['--json'], 'SIGTERM', 143],
    [['--watch', '1'], 'SIGINT', 130],
    [['--web'], 'SIGINT', 130],
    [['--prometheus', ':0'], 'SIGTERM', 143],
  ] as const)('%o ends at the first %s while a login hangs', async ([form, signal, code]) => {
    await using silent = await TcpServer.start()
    await using command = new CommandLine([
      'connections',
      `postgres://u:p@${silent.address}/d`,
      ...form,
    ])
    await silent.until(({ received }) => received > 0)
    command.interrupt(signal)
    expect(await command.exitCode).toBe(code)
    // Nobody has waited for the time limit of the login.
    expect(command.printed).toEqual({ stdout: '', stderr: '' })
  })

  it('ends at the first signal while a look hangs, as it does between two looks', async () => {
    const proxy = await startCountingProxy({ target: server })
    const url = database.url({ ...server, port: proxy.port })
    await using command = new CommandLine(['connections', url, '--json', '--watch', '0.2'])
    await command.until(({ stdout }) => stdout.includes('\n'))
    await answerHeldBack(proxy)
    command.interrupt()
    expect(await command.exitCode).toBe(0)
    await proxy.stop()
  })

  it('sees a leak: clients grow, and requests do not', async () => {
    await using command = new CommandLine([
      'connections',
      database.url(server),
      '--json',
      '--watch',
      '0.2',
    ])
    const leaked: postgres.Sql[] = []
    let looks = 0
    // One more client for each look, and nobody closes one.
    while (!command.printed.stdout.includes('clients-growing') && leaked.length < 60) {
      const seen = ++looks
      await command.until(({ stdout }) => stdout.split('\n').length > seen)
      const client = postgres(database.url(server), { max: 1, fetch_types: false })
      await client`select 1`
      leaked.push(client)
    }
    expect(command.printed.stdout).toContain('"code":"clients-growing"')
    expect(leaked.length).toBeLessThan(60)
    await Promise.all(leaked.map((client) => client.end()))
  })

  it('says that details are hidden where the role may not see them', async () => {
    await database.sql`create role ${database.sql(`${database.name}_seer`)} login password 'seer'`
    const url = database.url(server).replace(/\/\/[^@]+@/, `//${database.name}_seer:seer@`)
    const { warnings, connections } = await look([url])
    await database.sql`drop role ${database.sql(`${database.name}_seer`)}`
    expect(warnings).toMatchObject([{ code: 'details-hidden' }])
    expect(warnings[0]?.fix).toContain('pg_read_all_stats')
    expect(connections.some(({ state }) => state === 'hidden')).toBe(true)
  })

  it('checks the certificate of a private authority, and refuses without it', async () => {
    const url = `${database.url({ ...server, host: 'localhost' })}?sslmode=verify-full`
    const trusted = await look([url, '--ca', caFile])
    expect(trusted.sources[0]?.state).toBe('answered')
    const refused = await runCommand(['connections', url, '--once'])
    expect(refused.exitCode).toBe(2)
    expect(refused.stdout).toBe('')
    expect(refused.stderr).not.toContain(server.password)
    expect(refused.stderr).toMatch(/certificate/i)
  })

  it('finds the string in .dev.vars and says so, and reads a JDBC URL', async () => {
    const folder = await makeFolder()
    const url = database.url(server)
    await writeFile(join(folder, '.dev.vars'), `DATABASE_URL="${url}"\n`)
    const found = await runNullpool(['connections', '--json'], { cwd: folder })
    expect(found).toMatchObject({
      code: 0,
      errors: 'The connection string is DATABASE_URL of .dev.vars.\n',
    })
    const login = new URLSearchParams({ user: server.user, password: server.password })
    const jdbc = `jdbc:postgresql://${server.host}:${server.port}/${database.name}?${login}`
    expect(await runNullpool(['connections', jdbc, '--json'])).toMatchObject({
      code: 0,
      errors: 'The connection string is a JDBC URL.\n',
    })
  })

  it.each([
    [[''], /The connection string is empty/],
    [[], /There is no database to look at, .*DATABASE_URL/],
    [['http://example.com'], /ERR_URL|HTTP API/],
    [['--watch', '0'], /a number of seconds from 0.2 to 3600/],
    [['--prometheus', 'example.com:1'], /A place to listen at/],
    [['--ca', '/nowhere'], /--ca cannot be read \(ENOENT\)/],
  ])('says what is wrong with %j', async (parameters, words) => {
    const { stdout, stderr, exitCode } = await runCommand(['connections', ...parameters])
    expect(stdout).toBe('')
    expect(exitCode).not.toBe(0)
    expect(stderr).toMatch(words)
  })

  it('works through the model of a strict pooler', async () => {
    const pooler = await startStrictPooler({ backend: { ...server, database: database.name } })
    const secret = encodeURIComponent(server.password)
    const url = `postgres://${server.user}.${pooler.tenant}:${secret}@127.0.0.1:${pooler.port}/${database.name}`
    const { sources, server: state } = await look([url])
    await pooler.stop()
    expect(sources[0]?.state).toBe('answered')
    expect(state?.maxConnections).toBe(300)
  })
})
