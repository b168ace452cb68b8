import { eq, sql as expression, like } from 'drizzle-orm'
import { drizzle, type NeonDatabase } from 'drizzle-orm/neon-serverless'
import { Hono } from 'hono'
import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { nullpool } from 'nullpool/hono'
import { neonClient, neonPool } from 'nullpool/neon'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { useFaultBed } from '../support/fault-bed.ts'
import * as schema from '../support/library-schema.ts'
import { claimsOf, makeSupabaseSchema, userId } from '../support/supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')
const { authors, books } = schema

type Db = NeonDatabase<typeof schema>
const on = (scope: Scope): Db => drizzle(neonPool(scope), { schema })

describe.skipIf(!pgbouncer)('drizzle-orm/neon-serverless', () => {
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

  it.each([
    ['a pool', neonPool],
    ['a client', neonClient],
  ] as const)('reads what it writes, of every type, on %s', async (_name, make) => {
    await using scope = open()
    const db = drizzle(make(scope) as ReturnType<typeof neonPool>, { schema })
    const book = {
      title: `it's "Dune"`,
      key: userId(1),
      published: '1965-08-01',
      addedAt: new Date('2026-01-02T03:04:05.678Z'),
      local: '2026-01-02 03:04:05.678901',
      price: '12345678901234567890.5',
      sold: 9_007_199_254_740_993n,
      tags: ['a "b"', 'c,d', ''],
      details: { a: [1, 'x', null], ü: "'" },
      lent: false,
    }
    const [added] = await db
      .insert(books)
      .values({ ...book, cover: Buffer.from([0, 255, 92]) })
      .returning()
    expect(added).toMatchObject(book)
    expect([...(added?.cover ?? [])]).toEqual([0, 255, 92])
    expect(await db.select().from(books).where(like(books.title, '%Dune%'))).toEqual([added])
    expect((await db.execute(expression`select 1 as n`)).rows).toEqual([{ n: 1 }])
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
  })

  it('commits, rolls back, nests, and takes isolation', async () => {
    await using scope = open()
    const db = on(scope)
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
    expect(await db.$count(books)).toBe(2)
    await expect(
      db.transaction(async (tx) => {
        await tx.insert(books).values({ title: 'three' })
        throw new RangeError('no')
      }),
    ).rejects.toThrow(RangeError)
    expect(await db.$count(books)).toBe(2)
    const level = await db.transaction(
      (tx) => tx.execute(expression`select current_setting('transaction_isolation') as level`),
      { isolationLevel: 'serializable', accessMode: 'read only', deferrable: true },
    )
    expect(level.rows).toEqual([{ level: 'serializable' }])
  })

  it('takes a trip for a select, and two for a transaction of one', async () => {
    await using scope = open()
    const db = on(scope)
    const select = async (from: Pick<Db, 'select'>): Promise<unknown> =>
      from.select().from(books).where(eq(books.id, 1))
    await db.execute(expression`select 1`)
    const { turns } = proxy
    await select(db)
    expect(proxy.turns - turns).toBe(1)
    await db.transaction((tx) => select(tx))
    expect(proxy.turns - turns).toBe(3)
  })

  it('prepares without a name, and is told that a name does not work', async () => {
    await using scope = open()
    const db = on(scope)
    const byId = db
      .select({ id: books.id })
      .from(books)
      .where(eq(books.id, expression.placeholder('id')))
    const several = [1, 2, 3].map((id) => byId.prepare('').execute({ id }))
    expect(await Promise.all(several)).toEqual([[], [], []])
    await expect(byId.prepare('by_id').execute({ id: 1 })).rejects.toMatchObject({
      cause: { code: 'ERR_PREPARED_STATEMENT' },
    })
  })

  it('runs under claims, transactions too', async () => {
    await bed.sql`insert into notes (owner, body) values (${userId(1)}, 'one'), (${userId(2)}, 'two')`
    await using scope = open()
    const bodies = expression`select body, current_user as role from notes`
    const of = (user: number): Db => on(scope.as(claimsOf(user)))
    const all = await Promise.all([
      of(1).execute(bodies),
      of(2).transaction((tx) => tx.execute(bodies), { isolationLevel: 'serializable' }),
      on(scope).execute(expression`select count(*)::int as n from notes`),
    ])
    expect(all.map(({ rows }) => rows)).toEqual([
      [{ body: 'one', role: 'authenticated' }],
      [{ body: 'two', role: 'authenticated' }],
      [{ n: 2 }],
    ])
  })

  it.each([200, 500] as const)(
    'is part of a request that is a transaction, status %i',
    async (status) => {
      const app = new Hono()
        .use(nullpool({ url: bed.url(proxy), pooler: 'pgbouncer', transaction: true }))
        .get('/', async (c) => {
          const db = on(c.var.db)
          await db.insert(books).values({ title: 'drizzle' })
          await c.var.sql`insert into books (title) values ('raw')`
          await db.transaction(async (tx) => {
            await tx.insert(books).values({ title: 'nested' })
            await tx
              .transaction(async (inner) => {
                await inner.insert(books).values({ title: 'undone' })
                inner.rollback()
              })
              .catch(() => undefined)
          })
          expect(await c.var.sql`select title from books order by id`).toHaveLength(3)
          return c.text('done', status)
        })
      expect(await (await app.request('/')).text()).toBe('done')
      await proxy.until(({ connections }) => connections.every(({ open: isOpen }) => !isOpen))
      expect(await bed.sql`select 1 from books`).toHaveLength(status === 200 ? 3 : 0)
    },
  )
})

describe.skipIf(!pgbouncer)('drizzle-orm/neon-serverless, when the server goes away', () => {
  const bed = useFaultBed(() => pgbouncer ?? postgres)
  beforeAll(() => schema.makeLibrary(bed.database.sql))

  it('at COMMIT, says that nobody knows, and not that ROLLBACK failed', async () => {
    const scope = bed.scope()
    const db = on(scope)
    const working = db.transaction(async (tx) => {
      await tx.insert(books).values({ title: 'one' })
      bed.leaveAt('fin', 'C')
    })
    await expect(working).rejects.toMatchObject({
      message: expect.stringContaining('commit'),
      cause: { code: 'ERR_CONNECTION_LOST', outcome: 'unknown' },
    })
    await scope.close()
  })
})
