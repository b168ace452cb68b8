import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { ConnectionsSnapshot } from '../../src/cli/connections/snapshot.ts'
import { startPgBouncer } from '../../src/cli/pgbouncer-server.ts'
import { CommandLine, type Printed, runCommand } from '../support/command-line.ts'
import { look } from '../support/connections-look.ts'
import { startCountingProxy } from '../support/counting-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres: server } = inject('servers')

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

describe.skipIf(!pgbouncer)('nullpool connections with PgBouncer', () => {
  const at = pgbouncer ?? { host: '', port: 0, adminUrl: '' }

  it('tells pooled connections from direct ones, and shows pools and clients', async () => {
    const pooled = postgres(database.url(at), {
      max: 4,
      prepare: false,
      connection: { application_name: 'pooled' },
    })
    const direct = postgres(database.url(server), {
      max: 1,
      connection: { application_name: 'direct' },
    })
    await Promise.all([direct`select 1`, ...[1, 2, 3, 4].map(() => pooled`select pg_sleep(0.2)`)])
    const snapshot = await look([database.url(at)], { PGBOUNCER_ADMIN_URL: at.adminUrl })
    await Promise.all([pooled.end(), direct.end()])
    const routeOf = (name: string) =>
      snapshot.connections.find(({ application }) => application === name)?.route
    expect([routeOf('pooled'), routeOf('direct')]).toEqual(['pooled', 'direct'])
    expect(snapshot.pools.find((pool) => pool.database === database.name)).toMatchObject({
      pooler: 'pgbouncer',
      role: server.user,
      mode: 'transaction',
      clientsActive: 5,
      clientsWaiting: 0,
      poolSize: 10,
    })
    expect(snapshot.clients).toContainEqual({
      role: server.user,
      application: 'pooled',
      database: database.name,
      state: 'active',
      clients: 4,
    })
    expect(snapshot.traffic.queries).toBeGreaterThan(0)
    expect(JSON.stringify(snapshot)).not.toContain(new URL(at.adminUrl).password)
  })

  it('shows clients that wait', async () => {
    const busy = postgres(database.url(at), { max: 13, prepare: false, fetch_types: false })
    const control = postgres(database.url(server), { max: 1 })
    // Ten are the pool's; three wait, and so would a look through it: this one goes directly.
    const work = Promise.allSettled(Array.from({ length: 13 }, () => busy`select pg_sleep(20)`))
    await expect
      .poll(
        async () => {
          const { pools } = await look([database.url(server), '--admin', at.adminUrl])
          return pools.find((pool) => pool.database === database.name)?.clientsWaiting
        },
        { timeout: 20_000 },
      )
      .toBe(3)
    await control`select pg_terminate_backend(pid) from pg_stat_activity where query like ${'select pg_sleep(20)%'} and pid <> pg_backend_pid()`
    await busy.end({ timeout: 0 })
    await control.end()
    await work
  })

  it('does without the console where the login at hand may not use it', async () => {
    const { sources, connections } = await look([database.url(at)])
    expect(sources[1]).toMatchObject({ name: 'pgbouncer', state: 'not asked' })
    expect(sources[1]?.problem).toContain('--admin')
    expect(connections.every(({ route }) => route === 'unknown')).toBe(true)
  })

  it('keeps the view of a console that has taken the login, without the database and without the console', async () => {
    const upstream = await startCountingProxy({ target: server })
    const { user, password } = server
    const pooler = await startPgBouncer({
      ...{ upstream, users: { [user]: password } },
      settings: { stats_users: user, query_wait_timeout: '1', server_login_retry: '1' },
    })
    const parts = ['connections', database.url(pooler), '--watch', '0.2', '--json']
    await using command = new CommandLine([...parts, '--prometheus', ':0'])
    const saying = (states: string) => (printed: Printed) => statesOf(printed).at(-1) === states
    await command.until(saying('answered answered'))
    upstream.refuse = true
    upstream.cutAll('rst')
    await command.until(saying('failed answered'))
    expect(snapshots(command.printed).at(-1)?.pools).toContainEqual(
      expect.objectContaining({ pooler: 'pgbouncer', database: database.name }),
    )
    const [, address = ''] = /(http:.*)$/m.exec(command.printed.stderr) ?? []
    expect(await (await fetch(address)).text()).toContain('source_up{source="pgbouncer"} 1')
    await pooler.stop()
    await command.until(saying('failed failed'))
    expect(await (await fetch(address)).text()).toContain('source_up{source="pgbouncer"} 0')
    expect(statesOf(command.printed).join()).not.toContain('not asked')
    await upstream.stop()
  })

  it('ends with 2 and after one attempt where the password is wrong', async () => {
    const proxy = await startCountingProxy({ target: at })
    const url = database.url(proxy, { password: 'wrong-and-secret' })
    const { stdout, stderr, exitCode } = await runCommand(['connections', url, '--watch', '0.2'])
    const attempts = proxy.connections.length
    await proxy.stop()
    expect([stdout, exitCode, attempts]).toEqual(['', 2, 1])
    expect(stderr).toMatch(/password|authentication/)
    expect(stderr).not.toContain('wrong-and-secret')
  })

  it('shows the console alone where that is all there is', async () => {
    const snapshot = await look(['--admin', at.adminUrl])
    expect(snapshot.server).toBeNull()
    expect(snapshot.sources.map(({ state }) => state)).toEqual([
      'not asked',
      'answered',
      'not asked',
    ])
  })
})

/** Of every line that is whole. */
function snapshots({ stdout }: Printed): ConnectionsSnapshot[] {
  const lines = stdout.split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line))
}

/** Of the database and of the console. */
function statesOf(printed: Printed): string[] {
  return snapshots(printed).map(({ sources }) =>
    sources
      .slice(0, 2)
      .map(({ state }) => state)
      .join(' '),
  )
}
