import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../../src/cli/postgres-server.ts'
import { startCountingProxy } from '../support/counting-proxy.ts'
import { connected, makeFolder } from '../support/local-machine.ts'
import { runNullpool } from '../support/run-nullpool.ts'

const { certificateFiles: tls, caFile } = inject('servers')

async function poolSize(...parts: string[]) {
  return await runNullpool(['pool-size', ...parts])
}

describe('nullpool pool-size, from flags', () => {
  it.for([
    [['--max-connections', '60'], 24, 12, 12],
    [['--max-connections', '60', '--no-data-api'], 48, 24, 24],
    [['--max-connections', '60', '--instances', '2'], 24, 6, 6],
    [['--max-connections', '90', '--no-data-api', '--other', '30', '--reserved', '3'], 57, 28, 29],
  ] as const)('%o', async ([parts, pooler, size, maxOverflow]) => {
    const { code, output, errors } = await poolSize(...parts)
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect(output).toContain(`pool size ${pooler}\n`)
    expect(output).toContain(`poolSize ${size}, maxOverflow ${maxOverflow}`)
    expect(output.match(/^\d\. .+$/gm)).toHaveLength(5)
    expect(output).not.toContain('┌')
  })

  it('ends with 1 where it does not fit, still with five lines', async () => {
    const { code, output } = await poolSize('--max-connections', '10', '--instances', '9', '--json')
    expect(code).toBe(1)
    expect(JSON.parse(output)).toEqual({
      poolSize: 4,
      stationary: { poolSize: 1, maxOverflow: 0 },
      fits: false,
      maxConnections: 10,
      reserved: 3,
      others: 0,
      dataApi: true,
      instances: 9,
      connections: null,
      reasons: Array(5).fill(expect.stringMatching(/\.$/)),
    })
  })

  it.for([
    [[], 'Or give --max-connections.'],
    [['--max-connections', 'many'], 'It takes a whole number from 1 on.'],
    [['--max-connections', '0'], '--max-connections'],
    [['--max-connections', '60', '--instances', '0'], '--instances'],
  ] as const)('refuses %o', async ([parts, words]) => {
    const { code, output, errors } = await poolSize(...parts)
    expect(code).not.toBe(0)
    expect(output).toBe('')
    expect(errors).toContain(words)
  })
})

describe('nullpool pool-size, from a live server', () => {
  let server: PostgresServer
  beforeAll(async () => {
    const settings = {
      max_connections: '40',
      superuser_reserved_connections: '4',
      reserved_connections: '2',
    }
    server = await startPostgres({ tls, settings })
    await connected(server.url(), async (sql) => {
      await sql`create role app login password 'apples'`
      await sql`create role authenticator login password 'apples'`
      await sql`create role reports login password 'apples'`
    })
  })
  afterAll(() => server.stop())

  const login = (user: string) => server.url({ user, password: 'apples' })

  it('asks what there is, and who takes it, though the role may see little', async () => {
    const { code, output } = await poolSize(login('app'), '--json')
    expect(code).toBe(0)
    expect(JSON.parse(output)).toMatchObject({
      ...{ maxConnections: 40, reserved: 6, others: 0, dataApi: false, poolSize: 32 },
      connections: [],
    })
  })

  it('counts others, and neither the pool itself nor the Data API', async () => {
    await using clients = new AsyncDisposableStack()
    for (const [url, application_name] of [
      [login('app'), 'website'],
      [login('authenticator'), 'PostgREST 13'],
      [server.url(), 'Supavisor'],
      [login('reports'), 'metabase\u001b[31m'],
      [login('reports'), 'metabase\u001b[31m'],
    ] as const) {
      const sql = postgres(url, { max: 1, connection: { application_name } })
      clients.defer(() => sql.end())
      await sql`select 1`
    }
    const { output } = await poolSize(login('app'), '--json')
    expect(JSON.parse(output)).toMatchObject({
      ...{ maxConnections: 40, reserved: 6, others: 2, dataApi: true, poolSize: 16 },
      connections: [
        { role: 'reports', application: expect.stringMatching(/^metabase/), count: 2 },
        { role: 'app', application: 'website', count: 1 },
        { role: 'authenticator', application: 'PostgREST 13', count: 1 },
        { role: 'postgres', application: 'Supavisor', count: 1 },
      ],
    })
    const words = await poolSize(login('app'), '--no-data-api', '--other', '9')
    expect(words.output).toContain(
      '1. Beside this one 5 connections are open: 2 of app or a pooler, 1 of the Data API, 2 of others, for which --other says 9.',
    )
    expect(words.output).toContain('pool size 25\n')
    expect(words.output).toMatch(/│ reports +│ metabase\S* +│ +2 │/)
    expect(words.output).not.toContain('\u001b')
  })

  it('trusts nobody without --ca, and the authority with it', async () => {
    const url = `${login('app')}?sslmode=verify-full`
    const refused = await poolSize(url)
    expect(refused.code).toBe(2)
    expect(refused.errors).toMatch(/certificate/)
    expect(await poolSize(url, '--ca', caFile)).toMatchObject({ code: 0 })
  })

  it('finds the string in .env, and reads keywords of libpq', async () => {
    const folder = await makeFolder()
    await writeFile(join(folder, '.env'), `DATABASE_URL=${login('app')}\n`)
    const found = await runNullpool(['pool-size', '--json'], { cwd: folder })
    expect(found).toMatchObject({
      code: 0,
      errors: 'The connection string is DATABASE_URL of .env.\n',
    })
    const keywords = `host=127.0.0.1 port=${server.port} user=app password=apples dbname=postgres`
    expect(await poolSize(keywords, '--json')).toMatchObject({
      code: 0,
      errors: 'The connection string is keywords of libpq.\n',
    })
  })

  it('tries a wrong password once, and does not repeat it', async () => {
    const proxy = await startCountingProxy({ target: server })
    const wrong = `postgres://app:oranges@127.0.0.1:${proxy.port}/postgres`
    const { code, output, errors } = await poolSize(wrong)
    await proxy.stop()
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(errors).toMatch(/password/)
    expect(errors).not.toContain('oranges')
    expect(proxy.connections).toHaveLength(1)
  })
})
