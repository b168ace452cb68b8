import { Hono } from 'hono'
import type { Scope } from 'nullpool'
import { nullpool } from 'nullpool/hono'
import { neonClient, neonPool } from 'nullpool/neon'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

/** What something rejects with. */
function caught(failing: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(failing).then(
    () => 'It did not fail.',
    (error: unknown) => error,
  )
}

/** What can be awaited until somebody opens it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

describe.skipIf(!pgbouncer)('transactions of Neon’s driver in a request that is one', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table marks (n text)`
  })
  beforeEach(() => bed.sql`truncate marks`)
  afterAll(() => bed?.[Symbol.asyncDispose]())

  /** Runs work in such a request, and says what is there afterwards. */
  async function run(work: (db: Scope) => Promise<void>, queryTimeoutMs = 20_000) {
    if (!pgbouncer) throw new Error('PgBouncer is not installed')
    const app = new Hono()
      .use(
        nullpool({
          ...{ url: bed.url(pgbouncer), pooler: 'pgbouncer', transaction: true },
          queryTimeoutMs,
        }),
      )
      .get('/', async (c) => {
        await work(c.var.db)
        return c.text('done')
      })
    app.onError((error, c) => c.text(String(error), 500))
    expect(await (await app.request('/')).text()).toBe('done')
    const rows = await bed.sql`select n from marks order by n`
    return rows.map(({ n }) => n)
  }

  it('are outside of a savepoint that is rolled back meanwhile', async () => {
    const marks = await run(async (db) => {
      const [client, inside, end] = [neonClient(db), gate(), gate()]
      const undone = db.sql.begin(async (sql) => {
        await sql`insert into marks values ('undone')`
        inside.open()
        await end.opened
        throw new RangeError('undone')
      })
      await inside.opened
      const single = client.query("insert into marks values ('single')")
      const several = (async () => {
        await client.query('begin')
        await client.query("insert into marks values ('several')")
        await client.query('commit')
      })()
      end.open()
      expect(await caught(undone)).toBeInstanceOf(RangeError)
      await Promise.all([single, several])
    })
    expect(marks).toEqual(['several', 'single'])
  })

  it('take nothing of others with them when they are rolled back', async () => {
    const marks = await run(async (db) => {
      const [one, other] = [neonClient(db), neonClient(db)]
      await one.query('begin')
      await one.query("insert into marks values ('undone')")
      const others = [
        db.sql`insert into marks values ('sql')`.execute(),
        db.sql.begin((sql) => sql`insert into marks values ('savepoint')`),
        neonPool(db).query("insert into marks values ('pool')"),
        (async () => {
          await other.query('begin')
          await other.query("insert into marks values ('other')")
          await other.query('commit')
        })(),
      ]
      await one.query('rollback')
      await Promise.all(others)
    })
    expect(marks).toEqual(['other', 'pool', 'savepoint', 'sql'])
  })

  it('are in the savepoint in which they are begun', async () => {
    const marks = await run(async (db) => {
      const client = neonClient(db)
      const undone = db.sql.begin(async (sql) => {
        await sql`insert into marks values ('undone')`
        await client.query('begin')
        await client.query("insert into marks values ('undone too')")
        await client.query('commit')
        throw new RangeError('undone')
      })
      expect(await caught(undone)).toBeInstanceOf(RangeError)
      await db.sql.begin(async () => {
        await client.query('begin')
        await client.query("insert into marks values ('kept')")
        await client.query('commit')
      })
    })
    expect(marks).toEqual(['kept'])
  })

  it('refuse a statement that waits for them while they wait for it', async () => {
    const marks = await run(async (db) => {
      const client = neonClient(db)
      await client.query('begin')
      await client.query("insert into marks values ('kept')")
      const failures = await Promise.all([
        caught(db.sql`insert into marks values ('never')`),
        caught(neonClient(db).query('begin')),
        caught(neonPool(db).query('select 1')),
      ])
      expect(failures).toEqual(
        failures.map(() => expect.objectContaining({ code: 'ERR_TRANSACTION_WAIT' })),
      )
      await client.query('commit')
    }, 1_000)
    expect(marks).toEqual(['kept'])
  })

  it('end with their client, and keep nobody waiting', async () => {
    const marks = await run(async (db) => {
      const [one, pool] = [neonClient(db), neonPool(db)]
      await one.query('begin')
      await one.query("insert into marks values ('left')")
      const waiting = db.sql`insert into marks values ('behind')`.execute()
      await one.end()
      await waiting
      for (const destroy of [false, true]) {
        const lent = await pool.connect()
        await lent.query('begin')
        await lent.query("insert into marks values ('left too')")
        lent.release(destroy)
        await db.sql`insert into marks values ('behind')`
      }
    })
    expect(marks).toEqual(['behind', 'behind', 'behind'])
  })

  it('are not committed by the request where nothing has ended them', async () => {
    const marks = await run(async (db) => {
      const client = neonClient(db)
      await client.query("insert into marks values ('kept')")
      await client.query('begin')
      await client.query("insert into marks values ('left')")
      const lent = await neonPool(db).connect()
      void lent.query('begin').catch(() => undefined)
    })
    expect(marks).toEqual(['kept'])
  })

  it('keep nobody waiting where they fail', async () => {
    const marks = await run(async (db) => {
      const client = neonClient(db)
      await client.query('begin')
      expect(await caught(client.query('selekt'))).toMatchObject({ code: '42601' })
      const waiting = db.sql`insert into marks values ('behind')`.execute()
      await client.query('rollback')
      await waiting
    })
    expect(marks).toEqual(['behind'])
  })
})
