import { sql as raw } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { Hono } from 'hono'
import { Kysely, PostgresDialect } from 'kysely'
import { createDatabase, type Scope, type TransactionSql } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { kyselyPool } from 'nullpool/kysely'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/**
 * A savepoint that nobody awaits and a transaction that ends a few microtasks behind its last statement. In a
 * window of a microtask or two the savepoint has looked whether the transaction is over (it is not), is about to
 * resolve, and still counts as open: COMMIT undoes it. It is told 'ok', the transaction is told 'ok', nothing is there.
 */
describe.skipIf(!pgbouncer)('a savepoint that resolves as its transaction ends', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table deeds (name text)`
  })
  afterAll(() => bed[Symbol.asyncDispose]())

  type Nested = (
    scope: Scope,
    sql: TransactionSql,
    run: (insert: () => Promise<unknown>) => Promise<void>,
  ) => Promise<unknown>
  const kinds: Record<string, Nested> = {
    'sql.savepoint': (_scope, sql, run) =>
      sql.savepoint((s: TransactionSql) => run(() => s`insert into deeds values ('a')`.execute())),
    'two savepoints': (_scope, sql, run) =>
      sql.savepoint((s: TransactionSql) =>
        s.savepoint((t: TransactionSql) => run(() => t`insert into deeds values ('a')`.execute())),
      ),
    drizzle: (scope, _sql, run) =>
      drizzle(drizzleClient(scope)).transaction((tx) =>
        run(() => tx.execute(raw`insert into deeds values ('a')`).execute() as Promise<unknown>),
      ),
    kysely: (scope, _sql, run) =>
      new Kysely<{ deeds: { name: string } }>({
        dialect: new PostgresDialect({ pool: kyselyPool(scope) }),
      })
        .transaction()
        .execute((tx) => run(() => tx.insertInto('deeds').values({ name: 'a' }).execute())),
  }

  const isTruth = async (
    nested: Nested,
    where: string,
    microtasks: number,
  ): Promise<string | undefined> => {
    let told = 'nothing'
    let last: Promise<void> | undefined
    const work = async (scope: Scope, sql: TransactionSql): Promise<void> => {
      await sql`select 1`
      let query!: Promise<unknown>
      let started!: () => void
      const start = new Promise<void>((resolve) => {
        started = resolve
      })
      const run = async (insert: () => Promise<unknown>): Promise<void> => {
        query = insert()
        started()
        await query
      }
      last = nested(scope, sql, run).then(
        () => {
          told = 'ok'
        },
        (error) => {
          told = error.code
        },
      )
      await start
      await query
      for (let i = 0; i < microtasks; i += 1) await undefined
    }
    const url = bed.url(pgbouncer ?? postgres)
    if (where === 'scope') {
      await using scope = createDatabase({ url, pooler: 'pgbouncer' }).scope()
      await scope.transaction((sql) => work(scope, sql))
      await last
    } else {
      const app = new Hono<{ Variables: NullpoolVariables }>().use(
        nullpool({ url, pooler: 'pgbouncer', transaction: true }),
      )
      app.get('/', async (c) => {
        await work(c.var.db, c.var.sql as unknown as TransactionSql)
        return c.text('ok')
      })
      expect((await app.request('/')).status).toBe(200)
      await last
    }
    const { count } = await bed.sql`delete from deeds`
    return (told === 'ok') === (count === 1)
      ? undefined
      : `told ${told}, ${count} rows, ${microtasks} microtasks behind`
  }

  it.each(
    Object.keys(kinds).flatMap((kind) => [
      [kind, 'scope'],
      [kind, 'request'],
    ]),
  )('%s in a %s', async (kind, where) => {
    const lies: string[] = []
    for (let microtasks = 0; microtasks <= 25; microtasks += 1) {
      const lie = await isTruth(kinds[kind] as Nested, where, microtasks)
      if (lie) lies.push(lie)
    }
    expect(lies).toEqual([])
  })
})
