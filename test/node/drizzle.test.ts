import { eq, sql as expression, like } from 'drizzle-orm'
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import { Hono } from 'hono'
import { createDatabase, type DatabaseOptions, type NullpoolEvent, type Scope } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { nullpool } from 'nullpool/hono'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import * as schema from '../support/library-schema.ts'
import { claimsOf, makeSupabaseSchema, userId } from '../support/supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')
const { authors, books } = schema

type Db = PostgresJsDatabase<typeof schema>

describe.skipIf(!pgbouncer)('drizzleClient()', () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  beforeAll(async () => {
    bed = await createTestDatabase()
    await schema.makeLibrary(bed.sql)
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
  const on = (scope: Scope): Db => drizzle(drizzleClient(scope), { schema })

  it('opens nothing where nothing is asked', async () => {
    await using scope = open()
    on(scope)
    expect(scope.metrics.connects).toBe(0)
  })

  it('reads what it writes, of every type, and leaves those of raw sql alone', async () => {
    await using scope = open()
    const db = on(scope)
    const at = new Date('2026-01-02T03:04:05.678Z')
    const [before] =
      await scope.sql`select ${at}::timestamptz as at, ${{ a: 1 } as never}::jsonb as json`
    const book = {
      title: `it's "Dune"`,
      key: userId(1),
      published: '1965-08-01',
      addedAt: at,
      local: '2026-01-02 03:04:05.678901',
      price: '12345678901234567890.5',
      sold: 9_007_199_254_740_993n,
      tags: ['a "b"', 'c,d', ''],
      details: { a: [1, 'x', null], ü: "'" },
      lent: false,
      cover: Buffer.from([0, 255, 92]),
    }
    const [added] = await db.insert(books).values(book).returning()
    expect(added).toMatchObject(book)
    expect(await db.select().from(books).where(like(books.title, '%Dune%'))).toEqual([added])
    const [after] =
      await scope.sql`select ${at}::timestamptz as at, ${{ a: 1 } as never}::jsonb as json`
    expect(after).toEqual(before)
    expect(after).toEqual({ at, json: { a: 1 } })
    await db
      .update(books)
      .set({ price: null, tags: [] })
      .where(eq(books.id, added?.id ?? 0))
    expect(await db.select({ price: books.price, tags: books.tags }).from(books)).toEqual([
      { price: null, tags: [] },
    ])
    expect(await db.execute(expression`select 1 as n`)).toEqual([{ n: 1 }])
    expect(await db.delete(books).returning({ id: books.id })).toHaveLength(1)
  })

  it('reads relations', async () => {
    await using scope = open()
    const db = on(scope)
    const [frank] = await db.insert(authors).values({ name: 'Frank' }).returning()
    await db
      .insert(books)
      .values(['Dune', 'Soul Catcher'].map((title) => ({ title, authorId: frank?.id })))
    const found = await db.query.authors.findMany({ with: { books: { columns: { title: true } } } })
    expect(found).toEqual([
      { id: frank?.id, name: 'Frank', books: [{ title: 'Dune' }, { title: 'Soul Catcher' }] },
    ])
    const first = await db.query.books.findFirst({ with: { author: true } })
    expect(first?.author?.name).toBe('Frank')
  })

  it('commits, rolls back, nests, and takes isolation, in no more trips than needed', async () => {
    await using scope = open()
    const db = on(scope)
    const count = async (): Promise<number> => db.$count(books)
    await db.transaction(async (tx) => {
      await tx.insert(books).values({ title: 'one' })
      await tx
        .transaction(async (inner) => {
          await inner.insert(books).values({ title: 'undone' })
          inner.rollback()
        })
        .catch(() => undefined)
      await tx.transaction(
        async (inner) => void (await inner.insert(books).values({ title: 'two' })),
      )
    })
    expect(await count()).toBe(2)
    await expect(
      db.transaction(async (tx) => {
        await tx.insert(books).values({ title: 'three' })
        throw new RangeError('no')
      }),
    ).rejects.toThrow(RangeError)
    expect(await count()).toBe(2)
    const level = (): Promise<unknown> =>
      db.transaction(
        async (tx) =>
          tx.execute(expression`select current_setting('transaction_isolation') as level`),
        { isolationLevel: 'serializable', accessMode: 'read only', deferrable: true },
      )
    expect(await level()).toEqual([{ level: 'serializable' }])
    const { turns } = proxy
    await level()
    expect(proxy.turns - turns).toBe(2)
  })

  it('takes a trip for a select, and two for a transaction of one', async () => {
    await using scope = open()
    const db = on(scope)
    const select = async (from: Pick<Db, 'select'>): Promise<unknown> =>
      from.select().from(books).where(eq(books.id, 1))
    await select(db)
    const { turns } = proxy
    await select(db)
    expect(proxy.turns - turns).toBe(1)
    await db.transaction((tx) => select(tx))
    expect(proxy.turns - turns).toBe(3)
  })

  it('passes on the error of the server as its cause', async () => {
    await using scope = open()
    const db = on(scope)
    await db.insert(books).values({ title: 'one' })
    const error = await db
      .insert(books)
      .values({ title: 'one' })
      .catch((error: Error) => error)
    expect(error).toMatchObject({ cause: { code: '23505', constraint_name: 'books_title_key' } })
    await expect(
      db.transaction(async (tx) => {
        await tx.insert(books).values({ title: 'two' })
        await tx.execute(expression`select pg_terminate_backend(pg_backend_pid())`)
      }),
    ).rejects.toMatchObject({ cause: { code: expect.stringMatching(/^ERR_/) } })
  })

  it('runs under claims, transactions too', async () => {
    await bed.sql`insert into notes (owner, body) values (${userId(1)}, 'one'), (${userId(2)}, 'two')`
    await using scope = open()
    const bodies = expression`select body, current_user as role from notes`
    const of = (user: number): Db => on(scope.as(claimsOf(user)))
    const [one, two, all] = await Promise.all([
      of(1).execute(bodies),
      of(2).transaction((tx) => tx.execute(bodies), { isolationLevel: 'serializable' }),
      on(scope).execute(expression`select count(*)::int as n from notes`),
    ])
    expect(one).toEqual([{ body: 'one', role: 'authenticated' }])
    expect(two).toEqual([{ body: 'two', role: 'authenticated' }])
    expect(all).toEqual([{ n: 2 }])
  })

  it.each([200, 500] as const)(
    'is part of a request that is a transaction, status %i',
    async (status) => {
      const app = new Hono()
      const routes = app
        .use(nullpool({ url: bed.url(proxy), pooler: 'pgbouncer', transaction: true }))
        .get('/', async (c) => {
          const db = on(c.var.db)
          const at = new Date('2026-01-02T03:04:05.678Z')
          await c.var.sql`insert into books (title, added_at) values ('raw', ${at})`
          await db.insert(books).values({ title: 'drizzle', addedAt: at })
          await db.transaction(
            async (tx) => void (await tx.insert(books).values({ title: 'nested' })),
          )
          const raw = await c.var.sql`select title, added_at from books order by id`
          const read = await db.select({ title: books.title, at: books.addedAt }).from(books)
          expect(raw.map(({ title }) => title)).toEqual(['raw', 'drizzle', 'nested'])
          expect(raw[1]?.added_at).toEqual(at)
          expect(read.map((row) => row.at)).toEqual([at, at, null])
          return c.text('done', status)
        })
      expect((await routes.request('/')).status).toBe(status)
      await proxy.until(({ connections }) => connections.every(({ open: isOpen }) => !isOpen))
      expect(await bed.sql`select 1 from books`).toHaveLength(status === 200 ? 3 : 0)
    },
  )

  it('points migrations to another connection', async () => {
    await using scope = open()
    const migrating = migrate(on(scope), { migrationsFolder: 'test/support/migrations' })
    const error = await migrating.catch((error: Error) => error)
    expect(
      JSON.stringify([String(error), String(Reflect.get(error as object, 'cause'))]),
    ).toContain('npx drizzle-kit migrate')
    expect(scope.metrics.connects).toBe(0)
  })

  it.each([
    ['that is known to be direct', { pooler: 'postgres' }, 0],
    ['where the guard only warns', { guard: 'warn' }, 2],
    ['of which nothing is known', { pooler: 'auto' }, 2],
  ] as const)('migrates on a connection %s', async (_, options, warnings) => {
    await bed.sql.unsafe('drop schema if exists drizzle cascade; drop table if exists migrated')
    const events: NullpoolEvent[] = []
    await using scope = open({ ...options, onEvent: (event) => void events.push(event) })
    await migrate(on(scope), { migrationsFolder: 'test/support/migrations' })
    expect(await scope.sql`select n from migrated`).toEqual([{ n: 1 }])
    const told = events.filter(({ type }) => type === 'warning')
    expect(told).toHaveLength(warnings)
    for (const event of told) {
      expect(event).toMatchObject({ code: 'ERR_SESSION_STATE' })
      expect(JSON.stringify(event)).toContain('npx drizzle-kit migrate')
    }
  })

  it('takes nothing but a scope', () => {
    for (const wrong of [undefined, {}, { sql: () => 1 }]) {
      expect(() => drizzleClient(wrong as never)).toThrow(/drizzleClient\(\) takes a scope/)
    }
  })
})
