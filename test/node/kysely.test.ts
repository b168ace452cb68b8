import { Hono } from 'hono'
import { Kysely, PostgresDialect, sql as raw } from 'kysely'
import { FileMigrationProvider, Migrator } from 'kysely/migration'
import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { nullpool } from 'nullpool/hono'
import { kyselyCursor, kyselyPool } from 'nullpool/kysely'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { type Library, makeLibrary } from '../support/library-schema.ts'
import { claimsOf, makeSupabaseSchema, userId } from '../support/supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

type Db = Kysely<Library>

describe.skipIf(!pgbouncer)('kyselyPool()', () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  beforeAll(async () => {
    bed = await createTestDatabase()
    await makeLibrary(bed.sql)
    await makeSupabaseSchema(bed.sql)
    if (pgbouncer) proxy = await startCountingProxy({ target: pgbouncer })
  })
  afterEach(async () => {
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    proxy.reset()
    await bed.sql`truncate books, authors, notes`
  })
  afterAll(async () => {
    await proxy.stop()
    await bed[Symbol.asyncDispose]()
  })
  const open = (options: DatabaseOptions = {}): Scope =>
    createDatabase({ url: bed.url(proxy), pooler: 'pgbouncer', ...options }).scope()
  const on = (scope: Scope): Db =>
    new Kysely<Library>({
      dialect: new PostgresDialect({ pool: kyselyPool(scope), cursor: kyselyCursor }),
    })
  const add = (db: Db, title: string): Promise<unknown> =>
    db
      .insertInto('books')
      .values({ title } as never)
      .execute()
  const titles = async (): Promise<unknown[]> =>
    (await bed.sql`select title from books order by title`).map(({ title }) => title)

  it('reads what it writes, of every type', async () => {
    await using scope = open()
    const db = on(scope)
    const book = {
      title: `it's "Dune"`,
      key: userId(1),
      published: new Date('1965-08-01T00:00:00Z'),
      added_at: new Date('2026-01-02T03:04:05.678Z'),
      price: '12345678901234567890.5',
      sold: '9007199254740993',
      tags: ['a "b"', 'c,d', ''],
      details: { a: [1, 'x', null] },
      lent: false,
      cover: Buffer.from([0, 255, 92]),
      author_id: undefined,
    }
    const added = await db
      .insertInto('books')
      .values(book as never)
      .returningAll()
      .executeTakeFirstOrThrow()
    expect(added).toMatchObject({ ...book, author_id: null })
    const found = db.selectFrom('books').selectAll().where('title', 'like', '%Dune%')
    expect(await found.execute()).toEqual([added])
    const updated = await db.updateTable('books').set({ price: null }).executeTakeFirst()
    expect(updated.numUpdatedRows).toBe(1n)
    const deleted = await db.deleteFrom('books').executeTakeFirst()
    expect(deleted.numDeletedRows).toBe(1n)
  })

  it('commits, rolls back, nests by savepoints, and takes isolation', async () => {
    await using scope = open()
    const db = on(scope)
    await db.transaction().execute((tx) => add(tx, 'one'))
    await expect(
      db.transaction().execute(async (tx) => {
        await add(tx, 'undone')
        throw new RangeError('no')
      }),
    ).rejects.toThrow(RangeError)
    const level = await db
      .transaction()
      .setIsolationLevel('serializable')
      .setAccessMode('read only')
      .execute((tx) => raw`select current_setting('transaction_isolation') as level`.execute(tx))
    expect(level.rows).toEqual([{ level: 'serializable' }])
    const controlled = await db.startTransaction().execute()
    await add(controlled as never, 'two')
    const saved = await controlled.savepoint('here').execute()
    await add(saved as never, 'undone')
    await saved.rollbackToSavepoint('here').execute()
    await controlled.commit().execute()
    expect(await titles()).toEqual(['one', 'two'])
    await expect(
      db.transaction().execute(async (tx) => {
        await add(tx, 'one').catch(() => undefined)
      }),
    ).rejects.toThrow(/rolled back/)
  })

  it('takes a trip for a query, two for a transaction of one, none to roll back', async () => {
    await using scope = open()
    const db = on(scope)
    const select = (from: Db): Promise<unknown> =>
      from.selectFrom('books').selectAll().where('id', '=', 1).execute()
    const trips: number[] = []
    const count = async (work: () => Promise<unknown>): Promise<void> => {
      const { turns } = proxy
      await work()
      trips.push(proxy.turns - turns)
    }
    await select(db)
    await count(() => select(db))
    await count(() => db.transaction().execute((tx) => select(tx)))
    await count(() =>
      db
        .transaction()
        .execute(async (tx) => {
          await select(tx)
          throw new Error('back')
        })
        .catch(() => undefined),
    )
    expect(trips).toEqual([1, 2, 1])
  })

  it('keeps a transaction and the queries beside it apart', async () => {
    await using scope = open()
    const db = on(scope)
    const [inside, beside] = await Promise.all([
      db.transaction().execute(async (tx) => {
        await add(tx, 'one')
        return (await raw<{ id: string }>`select txid_current()::text as id`.execute(tx)).rows[0]
          ?.id
      }),
      raw<{ id: string }>`select txid_current()::text as id`.execute(db),
    ])
    expect(inside).toBeTruthy()
    expect(beside.rows[0]?.id).not.toBe(inside)
  })

  it('streams, and may be left early', async () => {
    await using scope = open()
    const db = on(scope)
    await bed.sql`insert into books (title) select 'book ' || n from generate_series(1, 1000) as n`
    const seen: number[] = []
    for await (const { id } of db.selectFrom('books').select('id').orderBy('id').stream(100))
      seen.push(id)
    expect(seen).toHaveLength(1000)
    for await (const { id } of db.selectFrom('books').select('id').stream(10)) {
      expect(id).toBeGreaterThan(0)
      break
    }
    expect(await db.selectFrom('books').select('id').limit(1).execute()).toHaveLength(1)
  })

  it('runs under claims, transactions too', async () => {
    await bed.sql`insert into notes (owner, body) values (${userId(1)}, 'one'), (${userId(2)}, 'two')`
    await using scope = open()
    const bodies = raw`select body, current_user as role from notes where id > ${0}`
    const of = (user: number): Db => on(scope.as(claimsOf(user)))
    const [one, two] = await Promise.all([
      bodies.execute(of(1)),
      of(2)
        .transaction()
        .setIsolationLevel('serializable')
        .execute((tx) => bodies.execute(tx)),
    ])
    expect(one.rows).toEqual([{ body: 'one', role: 'authenticated' }])
    expect(two.rows).toEqual([{ body: 'two', role: 'authenticated' }])
  })

  it.each([200, 500] as const)(
    'is part of a request that is a transaction, status %i',
    async (status) => {
      const app = new Hono()
      const routes = app
        .use(nullpool({ url: bed.url(proxy), pooler: 'pgbouncer', transaction: true }))
        .get('/', async (c) => {
          const db = on(c.var.db)
          await c.var.sql`insert into books (title) values ('raw')`
          await db.transaction().execute((tx) => add(tx, 'kysely'))
          await db
            .transaction()
            .execute(async (tx) => {
              await add(tx, 'undone')
              throw new Error('back')
            })
            .catch(() => undefined)
          return c.text('done', status)
        })
      expect((await routes.request('/')).status).toBe(status)
      await proxy.until(({ connections }) => connections.every(({ open: isOpen }) => !isOpen))
      expect(await titles()).toEqual(status === 200 ? ['kysely', 'raw'] : [])
    },
  )

  it('leaves the scope open when it is destroyed', async () => {
    await using scope = open()
    const db = on(scope)
    await raw`select 1`.execute(db)
    await db.destroy()
    expect(await scope.sql`select 1 as n`).toEqual([{ n: 1 }])
  })

  it('says what became of a transaction whose connection is lost', async () => {
    await using scope = open()
    const failing = on(scope)
      .transaction()
      .execute(async (tx) => {
        await add(tx, 'lost')
        await raw`select pg_terminate_backend(pg_backend_pid())`.execute(tx)
      })
    await expect(failing).rejects.toMatchObject({ outcome: 'rolled back' })
    expect(await titles()).toEqual([])
  })

  it('points migrations to another connection', async () => {
    await using scope = open()
    const { promises: fs } = await import('node:fs')
    const path = await import('node:path')
    const provider = new FileMigrationProvider({
      fs,
      path,
      migrationFolder: path.resolve('test/support/kysely-migrations'),
    })
    const { error } = await new Migrator({ db: on(scope), provider }).migrateToLatest()
    expect(error).toMatchObject({ code: 'ERR_SESSION_STATE' })
    expect(String(error)).toContain('session-mode or direct URL (port 5432)')
  })

  it('takes nothing but a scope, and no cursor but its own', async () => {
    expect(() => kyselyPool({} as never)).toThrow(/kyselyPool\(\) takes a scope/)
    await using scope = open()
    class Foreign {
      read = async (): Promise<never[]> => []
      close = async (): Promise<void> => undefined
    }
    const dialect = new PostgresDialect({ pool: kyselyPool(scope), cursor: Foreign })
    const db = new Kysely<Library>({ dialect })
    await expect(async () => {
      for await (const _ of db.selectFrom('books').selectAll().stream());
    }).rejects.toMatchObject({ code: 'ERR_OPTIONS' })
  })
})
