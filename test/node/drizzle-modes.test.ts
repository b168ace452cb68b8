import { sql as expression, type SQL } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { createDatabase, type Scope, type Sql } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { honoBed } from '../support/hono-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

/** What Drizzle's own error is made of. */
const codeOf = (error: { code?: string; cause?: { code?: string } }): string | undefined =>
  error.code ?? error.cause?.code

/** What a savepoint is asked for, by Drizzle in a statement of it. */
async function refusals(sql: Sql): Promise<(string | undefined)[]> {
  const db = drizzle(sql)
  const modes = [
    { accessMode: 'read only' },
    { accessMode: 'read write' },
    { isolationLevel: 'serializable' },
    { deferrable: true },
  ] as const
  const raw = (db: { execute(query: SQL): Promise<unknown> }, text: string): Promise<unknown> =>
    db.execute(expression.raw(text))
  const attempts: (() => Promise<unknown>)[] = [
    ...modes.map((mode) => () => db.transaction((tx) => raw(tx, 'select 1'), mode)),
    () => db.transaction((tx) => raw(tx, 'set local transaction_read_only = on')),
    () =>
      db.transaction((tx) => tx.transaction((inner) => raw(inner, 'Set Transaction read only'))),
    () => sql.begin('read only', async (inner) => inner`select 1`),
  ]
  const codes: (string | undefined)[] = []
  for (const attempt of attempts) codes.push(await attempt().then(() => 'ran', codeOf))
  return codes
}

const ALL_REFUSED = Array(7).fill('ERR_OPTIONS')

describe.skipIf(!pgbouncer)('modes of a client for Drizzle', () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table deeds (name text)`
    if (pgbouncer) proxy = await startCountingProxy({ target: pgbouncer })
  })
  beforeEach(() => bed.sql`truncate deeds`)
  afterAll(async () => {
    await proxy.stop()
    await bed[Symbol.asyncDispose]()
  })
  const open = (): Scope => createDatabase({ url: bed.url(proxy), pooler: 'pgbouncer' }).scope()
  const deeds = async (): Promise<unknown[]> =>
    (await bed.sql`select name from deeds order by 1`).map(({ name }) => name)

  const MODES = ['transaction_isolation', 'transaction_read_only', 'transaction_deferrable']

  it.each([
    ['', ['read committed', 'off', 'off']],
    [' ', ['read committed', 'off', 'off']],
    ['read write', ['read committed', 'off', 'off']],
    ['read only', ['read committed', 'on', 'off']],
    ['ISOLATION LEVEL repeatable read', ['repeatable read', 'off', 'off']],
    ['isolation level serializable read only', ['serializable', 'on', 'off']],
    ['isolation level serializable, read only, deferrable', ['serializable', 'on', 'on']],
  ] as const)(
    'are those that begin(%j) was given, without a trip of their own',
    async (modes, are) => {
      await using scope = open()
      await scope.sql`select 1`
      const { turns } = proxy
      const rows = await drizzleClient(scope).begin(
        modes,
        (sql) => sql`select current_setting(name) as value from unnest(${MODES}::text[]) as name`,
      )
      expect(rows.map(({ value }) => value)).toEqual(are)
      // Before it is sent for the first time a statement is described; COMMIT is the last.
      expect(proxy.turns - turns).toBeLessThanOrEqual(3)
    },
  )

  it.each(['readonly', 'isolation level snapshot', 'read only; drop table deeds', "snapshot '1'"])(
    'are refused where no transaction has them: %j',
    async (modes) => {
      await using scope = open()
      let ran = false
      const work = async (): Promise<void> => {
        ran = true
      }
      const told = drizzleClient(scope).begin(modes, work)
      await expect(told).rejects.toMatchObject({ code: 'ERR_OPTIONS' })
      expect([ran, scope.metrics.connects]).toEqual([false, 0])
    },
  )

  it('are refused on savepoints of transaction(), which stays as it was', async () => {
    await using scope = open()
    const codes = await scope.transaction(async (sql) => {
      const refused = await refusals(drizzleClient(scope))
      await sql`insert into deeds values ('behind')`
      return refused
    })
    expect(codes).toEqual(ALL_REFUSED)
    expect(await deeds()).toEqual(['behind'])
  })

  it('are refused on savepoints of a transaction of its own', async () => {
    await using scope = open()
    await drizzle(drizzleClient(scope)).transaction(async (tx) => {
      const reading = tx.transaction((inner) =>
        inner.execute(expression`set transaction read only`),
      )
      expect(await reading.then(() => 'ran', codeOf)).toBe('ERR_OPTIONS')
      await tx.execute(expression`insert into deeds values ('behind')`)
    })
    expect(await deeds()).toEqual(['behind'])
  })
})

describe.skipIf(!pgbouncer)('modes of Drizzle in a request that is a transaction', () => {
  const bed = honoBed()
  beforeAll(async () => {
    await bed.database.sql`create table deeds (name text)`
  })

  it('are refused, and the request goes on', async () => {
    const app = bed.app({ transaction: true, pooler: 'pgbouncer' }).get('/', async (c) => {
      const codes = await refusals(drizzleClient(c.var.db))
      await c.var.sql`insert into deeds values ('behind')`
      return c.json(codes)
    })
    const response = await bed.get(app)
    expect([response.status, await response.json()]).toEqual([200, ALL_REFUSED])
    expect(await bed.database.sql`select name from deeds`).toEqual([{ name: 'behind' }])
  })
})
