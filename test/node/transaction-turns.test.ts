import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Context, Hono } from 'hono'
import { createDatabase, type Scope } from 'nullpool'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { neonClient } from 'nullpool/neon'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

describe.skipIf(!pgbouncer)('what does not take its turn in a transaction', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table deeds (name text)`
    await bed.sql`create table slow (name text)`
    await bed.sql`create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.3); return null; end $$`
    await bed.sql`create constraint trigger slow after insert on slow deferrable initially deferred for each row execute function slow()`
  })
  afterEach(async () => void (await bed.sql`truncate deeds`))
  afterAll(() => bed[Symbol.asyncDispose]())
  const open = (): Scope =>
    createDatabase({
      url: bed.url(pgbouncer ?? postgres),
      pooler: 'pgbouncer',
      queryTimeoutMs: 4000,
    }).scope()
  const kept = async () => (await bed.sql`select name from deeds order by 1`).map((x) => x.name)
  /** Long enough for COMMIT to be on its way before it has been read. */
  const file = (text: string): string => {
    const path = join(mkdtempSync(join(tmpdir(), 'nullpool-')), 'query.sql')
    writeFileSync(path, text + ' '.repeat(400_000))
    return path
  }
  const code = (promise: PromiseLike<unknown>): Promise<string> =>
    Promise.resolve(promise).then(
      () => 'ok',
      (error) => error.code ?? error.message,
    )

  it('sql.file() that nobody awaits runs in its transaction or not at all', async () => {
    await using scope = open()
    const path = file("insert into deeds select 'in ' || txid_current()")
    let told!: Promise<string>
    await scope.transaction(async (sql) => {
      await sql`insert into slow values ('a')`
      await sql`insert into deeds select 'in ' || txid_current()`
      told = code(sql.file(path).execute())
    })
    const outcome = await told
    const rows = await kept()
    expect(new Set(rows).size).toBe(1)
    expect(rows).toHaveLength(outcome === 'ok' ? 2 : 1)
  })

  it('sql.file() that nobody awaits and that fails fails its transaction', async () => {
    await using scope = open()
    const path = file('select 1 / 0')
    let told!: Promise<string>
    const whole = await code(
      scope.transaction(async (sql) => {
        await sql`insert into deeds values ('a')`
        told = code(sql.file(path).execute())
      }),
    )
    expect([await told, whole]).not.toEqual(['22012', 'ok'])
  })

  it('sql.notify() from outside of a savepoint is not undone with it', async () => {
    await using scope = open()
    const heard: string[] = []
    let end!: () => void
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    await bed.sql.listen('news', (news) => (news === 'end' ? end() : heard.push(news)))
    let told = ''
    await scope.transaction(async (sql) => {
      await sql`select 1`
      let fail!: () => void
      let begun!: () => void
      const failing = new Promise<void>((resolve) => (fail = resolve))
      const beginning = new Promise<void>((resolve) => (begun = resolve))
      const savepoint = sql
        .savepoint(async (inner) => {
          await inner`select 1`
          begun()
          await failing
          throw new Error('on purpose')
        })
        .catch(() => undefined)
      await beginning
      const notified = code(sql.notify('news', 'from outside'))
      await code(bed.sql`select pg_sleep(0.05)`)
      fail()
      told = await notified
      await savepoint
    })
    await bed.sql.notify('news', 'end')
    await ended
    expect({ told, heard }).toEqual({ told: 'ok', heard: ['from outside'] })
  })

  it("a savepoint of Neon's in which an error was swallowed is rolled back alone", async () => {
    const told: string[] = []
    const app = new Hono<{ Variables: NullpoolVariables }>()
    app.onError((error, c) => c.text(String((error as { code?: string }).code), 500))
    app.use(
      nullpool({ url: bed.url(pgbouncer ?? postgres), pooler: 'pgbouncer', transaction: true }),
    )
    app.get('/', async (c) => {
      await c.var.sql`insert into deeds values ('outer')`
      const neon = neonClient(c.var.db)
      await neon.query('begin')
      told.push(await code(neon.query('select 1 / 0')))
      told.push(await code(neon.query('commit')))
      // As every driver's user does where COMMIT has failed.
      told.push(await code(neon.query('rollback')))
      told.push(await code(c.var.sql`insert into deeds values ('after')`))
      return c.text('ok')
    })
    const response = await app.request('/')
    expect({ told: told[3], status: response.status, kept: await kept() }).toEqual({
      told: 'ok',
      status: 200,
      kept: ['after', 'outer'],
    })
  })

  it('a list of anything that can be awaited is run, as postgres.js does', async () => {
    const ran: string[] = []
    // What Drizzle's and Kysely's builders are.
    const later = (name: string) => ({
      // biome-ignore lint/suspicious/noThenProperty: it is what they have.
      then: (done: (value: number) => void) => {
        ran.push(name)
        done(1)
      },
    })
    await using scope = open()
    await bed.sql.begin(((): unknown => [later('postgres.js')]) as never)
    await scope.transaction(((): unknown => [later('transaction')]) as never)
    await scope.transaction(async (sql) => {
      await sql.savepoint(((): unknown => [later('savepoint')]) as never)
    })
    expect(ran).toEqual(['postgres.js', 'transaction', 'savepoint'])
  })

  it('without a response rollbackWhen is not asked, and nothing that it writes stays', async () => {
    let asked = 0
    const rollbackWhen = async (c: Context): Promise<boolean> => {
      asked += 1
      await c.var.sql`insert into deeds values ('asked')`
      return false
    }
    const app = new Hono<{ Variables: NullpoolVariables }>()
    app.onError((_error, c) => c.text('failed', 500))
    app.use(
      nullpool({
        url: bed.url(pgbouncer ?? postgres),
        pooler: 'pgbouncer',
        transaction: { rollbackWhen },
      }),
    )
    app.get('/', (async () => undefined) as never)
    expect((await app.request('/')).status).toBe(500)
    expect({ asked, kept: await kept() }).toEqual({ asked: 0, kept: [] })
  })
})
