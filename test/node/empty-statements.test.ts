import { neon, neonConfig } from '@neondatabase/serverless'
import { createDatabase } from 'nullpool'
import { createPool } from 'nullpool/stationary'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { startNodeGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')
const CLAIMS = { sub: 'u1', role: 'authenticated' }

// Servers pass over empty statements and comments: what follows them ends a transaction like any other.
describe('a statement that ends a transaction behind an empty one', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table t (id int)`
    await bed.sql.unsafe(`do $$ begin create role authenticated nologin;
      exception when duplicate_object or unique_violation then null; end $$`)
    await bed.sql`grant authenticated to current_user`
  })
  afterAll(() => bed?.[Symbol.asyncDispose]())

  const ids = async (): Promise<number[]> =>
    (await bed.sql`select id from t order by id`).map(({ id }) => id)

  describe.each([
    ['a semicolon', ';commit and chain'],
    ['a long comment', `/*${'x'.repeat(10_000)}*/ commit and chain`],
  ])('behind %s', (_what, end) => {
    it('leaves the role and the claims of a request', async () => {
      const database = createDatabase({ url: bed.url(pgbouncer ?? postgres), pooler: 'pgbouncer' })
      const user = await database
        .run({}, (scope) =>
          scope.as(CLAIMS).transaction(async (sql) => {
            await sql`select 1`
            await sql.unsafe(end).catch(() => undefined)
            const [row] = await sql`select current_user as name`
            return row?.name
          }),
        )
        .catch((error: Error) => error.name)
      expect(user).not.toBe('postgres')
    })

    it('leaves the role and the claims of a pool', async () => {
      await using pool = createPool({ url: bed.url(postgres), pooler: 'postgres' })
      const user = await pool
        .as(CLAIMS)
        .transaction(async (sql) => {
          await sql`select 1`
          await sql.unsafe(end).catch(() => undefined)
          const [row] = await sql`select current_user as name`
          return row?.name
        })
        .catch((error: Error) => error.name)
      expect(user).not.toBe('postgres')
    })
  })

  it.each([';commit', '/* x */ ; COMMIT', ';;end'])(
    'commits half of a transaction: %s',
    async (end) => {
      await bed.sql`delete from t`
      const database = createDatabase({ url: bed.url(pgbouncer ?? postgres), pooler: 'pgbouncer' })
      await database
        .run({}, (scope) =>
          scope.transaction(async (sql) => {
            await sql`insert into t values (1)`
            await sql.unsafe(end).catch(() => undefined)
            await sql`insert into t values (2)`
            throw new Error('rolled back')
          }),
        )
        .catch(() => undefined)
      expect(await ids()).toEqual([])
    },
  )

  it('commits half of a batch through /sql', async () => {
    await bed.sql`delete from t`
    const { host, port } = pgbouncer ?? postgres
    await using gateway = await startNodeGateway({ targets: [`${host}:${port}`] })
    neonConfig.fetchEndpoint = `http://${gateway.host}/sql`
    const sql = neon(bed.url(pgbouncer ?? postgres), { authToken: TOKEN })
    await sql
      .transaction([
        sql`insert into t values (1)`,
        sql`;commit`,
        sql`insert into t values (2)`,
        sql`select 1 / 0`,
      ])
      .catch(() => undefined)
    expect(await ids()).toEqual([])
  })

  it('begins a transaction by a statement of pool.sql, which says that it has', async () => {
    await using pool = createPool({ url: bed.url(postgres), pooler: 'postgres' })
    await expect(pool.sql.unsafe('begin')).rejects.toMatchObject({ code: 'ERR_SESSION_STATE' })
    await expect(pool.sql.unsafe(';begin')).rejects.toMatchObject({ code: 'ERR_SESSION_STATE' })
  })
})
