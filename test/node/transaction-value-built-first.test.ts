import { sql as dsql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { Hono } from 'hono'
import { Kysely, PostgresDialect } from 'kysely'
import { createDatabase, type Scope, type Sql } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { kyselyPool } from 'nullpool/kysely'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')
const ORMS: Record<string, (scope: Scope) => Promise<unknown>> = {
  Drizzle: (scope) =>
    drizzle(drizzleClient(scope)).transaction((tx) =>
      tx.execute(dsql`insert into deeds values ('orm')`),
    ),
  Kysely: (scope) =>
    new Kysely<{ deeds: { name: string } }>({
      dialect: new PostgresDialect({ pool: kyselyPool(scope) }),
    })
      .transaction()
      .execute((tx) => tx.insertInto('deeds').values({ name: 'orm' }).execute()),
}

describe.skipIf(!pgbouncer)('a transaction in which a value was built first', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table deeds (name text, more jsonb)`
  })
  afterEach(() => bed.sql`truncate deeds`)
  afterAll(() => bed[Symbol.asyncDispose]())
  const deeds = async (): Promise<unknown[]> =>
    (await bed.sql`select name from deeds order by 1`).map(({ name }) => name)

  it.each(Object.keys(ORMS))('is committed behind a statement of %s', async (orm) => {
    await using scope = createDatabase({
      url: bed.url(pgbouncer ?? postgres),
      pooler: 'pgbouncer',
    }).scope()
    const told = await scope
      .transaction(async (sql) => {
        const more = sql.json({ a: 1 })
        await ORMS[orm]?.(scope)
        await sql`insert into deeds values ('sql', ${more})`
      })
      .then(
        () => 'ok',
        (error) => error.code,
      )
    expect([told, await deeds()]).toEqual(['ok', ['orm', 'sql']])
  })

  it.each([
    ['json', (sql: Sql): unknown => sql.json({})],
    ['array', (sql: Sql): unknown => sql.array([1])],
    ['options', (sql: Sql): unknown => sql.options],
  ] as const)('is committed in a request: sql.%s', async (_, build) => {
    const app = new Hono<{ Variables: NullpoolVariables }>()
      .use(
        nullpool({ url: bed.url(pgbouncer ?? postgres), pooler: 'pgbouncer', transaction: true }),
      )
      .get('/', async (c) => {
        build(c.var.sql)
        await drizzle(drizzleClient(c.var.db)).execute(dsql`insert into deeds values ('orm')`)
        return c.text('fine')
      })
    app.onError((error, c) => c.text((error as { code?: string }).code ?? error.message, 500))
    expect([await (await app.request('/')).text(), await deeds()]).toEqual(['fine', ['orm']])
  })
})
