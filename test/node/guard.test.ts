import {
  createDatabase,
  type DatabaseOptions,
  NullpoolError,
  type NullpoolEvent,
  type Scope,
} from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { claimsOf, makeSupabaseSchema } from '../support/supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

describe.skipIf(!pgbouncer)('guard', () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  let events: NullpoolEvent[] = []
  beforeAll(async () => {
    bed = await createTestDatabase()
    await makeSupabaseSchema(bed.sql)
    proxy = await startCountingProxy({ target: pgbouncer ?? postgres })
  })
  afterEach(async () => {
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    proxy.reset()
    events = []
  })
  afterAll(async () => {
    await proxy.stop()
    await bed[Symbol.asyncDispose]()
  })
  const open = (options: DatabaseOptions = {}): Scope =>
    createDatabase({
      url: bed.url(proxy),
      onEvent: (event) => void events.push(event),
      ...options,
    }).scope()
  const warnings = (): string[] =>
    events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))

  it('refuses before anything is sent, with what to write instead', async () => {
    await using scope = open({ pooler: 'pgbouncer' })
    const error = await scope.sql`set statement_timeout = ${5}`.catch((error: unknown) => error)
    expect(NullpoolError.is(error)).toBe(true)
    expect(error).toMatchObject({ code: 'ERR_SESSION_STATE', retryable: false })
    expect((error as NullpoolError).hint).toContain('SET LOCAL')
    for (const [text, hint] of [
      ['select 1; listen jobs', 'session-mode'],
      ['select pg_advisory_lock(1)', 'pg_advisory_xact_lock'],
      ['create temp table t (n int)', 'ON COMMIT DROP'],
      ["select set_config('a.b', 'c', false)", 'set_config(…, true)'],
    ] as const) {
      await expect(scope.sql.unsafe(text)).rejects.toMatchObject({
        name: 'NullpoolError',
        code: 'ERR_SESSION_STATE',
        hint: expect.stringContaining(hint),
      })
    }
    expect(scope.metrics).toMatchObject({ connects: 0, queries: 0 })
    expect(await scope.sql`select 1 as n`).toEqual([{ n: 1 }])
  })

  it('fails one of several at once, a cursor, a batch and a transaction, and nothing else', async () => {
    await using scope = open({ pooler: 'pgbouncer' })
    const bad = { code: 'ERR_SESSION_STATE' }
    const [one, refused, two] = await Promise.allSettled([
      scope.sql`select ${1}::int as n`,
      scope.sql`select pg_advisory_lock(${1})`,
      scope.sql`select ${2}::int as n`,
    ])
    expect([one, two]).toMatchObject([{ value: [{ n: 1 }] }, { value: [{ n: 2 }] }])
    expect(refused).toMatchObject({ reason: bad })
    await expect(async () => {
      for await (const _ of scope.sql`select pg_advisory_lock(1)`.cursor(1));
    }).rejects.toMatchObject(bad)
    await expect(
      scope.batch((sql) => [sql`select 1`, sql`select pg_advisory_lock(${1})`, sql`select 2`]),
    ).rejects.toMatchObject(bad)
    const kept = scope.transaction(async (sql) => {
      await sql`create temporary table kept (n int) on commit drop`
      await sql`set local statement_timeout = '5s'`
      await expect(sql`set statement_timeout = '5s'`).rejects.toMatchObject(bad)
      return sql`select count(*)::int as n from kept`
    })
    expect(await kept).toEqual([{ n: 0 }])
  })

  it('warns where the mode is not known, and is silent where it is off', async () => {
    await using scope = open({ pooler: 'auto' })
    await scope.sql`set statement_timeout = 5000`
    expect(warnings()).toEqual(['ERR_SESSION_STATE'])
    await scope.sql`reset statement_timeout`
    events = []
    for (const options of [
      { guard: 'off', pooler: 'pgbouncer' },
      { pooler: 'postgres' },
    ] as const) {
      await using quiet = open(options)
      await quiet.sql`set statement_timeout = 5000`
      await quiet.sql`reset statement_timeout`
    }
    expect(warnings()).toEqual([])
    await using warned = open({ pooler: 'pgbouncer', guard: 'warn' })
    await warned.sql`reset statement_timeout`
    expect(warnings()).toEqual(['ERR_SESSION_STATE'])
  })

  it.each(['supavisor', 'pgbouncer', 'hyperdrive'] as const)(
    'throws by default with pooler %s',
    async (pooler) => {
      await using scope = open({ pooler, url: 'postgres://a:b@db.example.test/c' })
      await expect(scope.sql`listen a`).rejects.toMatchObject({ code: 'ERR_SESSION_STATE' })
    },
  )

  it.each([
    ['postgres://postgres.ref:p@aws-0-eu-central-1.pooler.supabase.com:6543/postgres', true],
    ['postgres://u:p@ep-a-pooler.eu-central-1.aws.neon.tech/db', true],
  ] as const)('throws by default at %s', async (url, throws) => {
    await using scope = open({ url })
    const code = await scope.sql`reset all`.catch((error: NullpoolError) => error.code)
    expect(code === 'ERR_SESSION_STATE').toBe(throws)
    expect(scope.metrics.connects).toBe(0)
  })

  it('keeps claims what they are, with any pooler, unless it is off', async () => {
    await using scope = open({ pooler: 'postgres' })
    const someone = scope.as(claimsOf(1))
    for (const text of [
      'reset role',
      'set local role none',
      "select set_config('role', 'none', true)",
      "select set_config('request.jwt.claims', '{}', true)",
      'set local request.jwt.claims = 1',
      'set local "role" = postgres',
      'set local session_authorization = postgres',
      'reset "role"',
      "select set_config('ro' || 'le', 'none', true)",
    ]) {
      await expect(someone.sql.unsafe(text), text).rejects.toMatchObject({ code: 'ERR_CLAIMS' })
      await expect(
        someone.transaction(async (sql) => {
          await sql`select 1`
          await sql.unsafe(text)
        }),
        text,
      ).rejects.toMatchObject({ code: 'ERR_CLAIMS' })
    }
    await expect(someone.sql`select set_config(${'role'}, ${'none'}, true)`).rejects.toMatchObject({
      code: 'ERR_CLAIMS',
      hint: expect.stringContaining('as a text'),
    })
    await using unguarded = open({ pooler: 'pgbouncer', guard: 'off' })
    const roles = await unguarded.as(claimsOf(1)).transaction(async (sql) => {
      const [before] = await sql`select current_user as role`
      await sql`reset role`
      const [after] = await sql`select current_user as role`
      return [before?.role, after?.role]
    })
    expect(roles[0]).toBe('authenticated')
    expect(roles[1]).not.toBe('authenticated')
  })

  it('takes a body of statements for the function that it is', async () => {
    await using scope = open({ pooler: 'pgbouncer' })
    const create = (name: string): string => `create function ${name}() returns boolean
      language sql begin atomic; select pg_try_advisory_lock(1) where false; select case when true then false end; end`
    await scope.sql.unsafe(create('with_body'))
    await scope.transaction((sql) => sql.unsafe(create('with_body_too')))
    await scope.batch((sql) => [sql.unsafe(create('with_body_as_well')), sql`select 1`])
    const rows = await scope.sql`select with_body(), with_body_too(), with_body_as_well()`
    expect(rows).toEqual([{ with_body: false, with_body_too: false, with_body_as_well: false }])
    await bed.sql`drop function with_body, with_body_too, with_body_as_well`
  })

  it('cannot see into functions: what SQL of the server does, it does', async () => {
    await bed.sql.unsafe(`create function escape_claims() returns text language plpgsql as
      $$ begin perform set_config('role', 'none', true); return current_user; end $$`)
    await using scope = open({ pooler: 'pgbouncer' })
    const [row] = await scope.as(claimsOf(1)).sql`select escape_claims() as role`
    expect(row?.role).not.toBe('authenticated')
    const [next] = await scope.as(claimsOf(1)).sql`select current_user as role`
    expect(next?.role).toBe('authenticated')
    const [own] = await bed.sql`select current_setting('request.jwt.claims', true) as claims`
    expect(own?.claims || null).toBeNull()
  })
})
