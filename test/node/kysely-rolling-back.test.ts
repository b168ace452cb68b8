import { Hono } from 'hono'
import { type Kysely, sql as raw } from 'kysely'
import type { Scope } from 'nullpool'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { kyselyPool } from 'nullpool/kysely'
import { describe, expect, inject, it } from 'vitest'
import { add, KyselyBed } from '../support/kysely-bed.ts'
import type { Library } from '../support/library-schema.ts'

type Db = Kysely<Library>
type Told = { told: unknown; late: unknown }

/** Longer than the server may be silent, so that whoever waits for it fails. */
const SLEEP = 'select pg_sleep(600)'

/** The connection's word, or Kysely's own where Kysely has heard of the end before. */
const OVER = expect.stringMatching(/^ERR_TRANSACTION_OVER$|already rolled back$/)

const outcomeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'ran',
    (error) => error.code ?? error.message,
  )

describe.skipIf(!inject('servers').pgbouncer)('a transaction of Kysely that is rolled back', () => {
  const bed = new KyselyBed()

  /** One of several fails while the server is at another; a third one comes when that is known. */
  async function attempt(db: Db): Promise<Told> {
    let late: Promise<unknown> | undefined
    const told = await outcomeOf(
      db.transaction().execute(async (tx) => {
        await add(tx, 'inside')
        const fails = async (): Promise<void> => {
          await bed.untilRunning(SLEEP, 1)
          late = outcomeOf(new Promise(setImmediate).then(() => add(tx, 'late')))
          throw new RangeError('on purpose')
        }
        await Promise.all([raw.raw(SLEEP).execute(tx), fails()])
      }),
    )
    return { told, late: await late }
  }

  const REFUSED = { told: 'on purpose', late: OVER }

  it.each(['by itself', 'inside of transaction()'])(
    'runs nothing elsewhere of what still comes, %s',
    async (where) => {
      await using scope = bed.open()
      const db = bed.on(scope)
      const told = where === 'by itself' ? attempt(db) : scope.transaction(() => attempt(db))
      expect(await told).toEqual(REFUSED)
      await add(db, 'behind')
      expect(await bed.titles()).toEqual(['behind'])
    },
  )

  it('runs nothing elsewhere in a request that is a transaction', async () => {
    const app = new Hono<{ Variables: NullpoolVariables }>()
      .use(nullpool({ url: bed.url, pooler: 'pgbouncer', transaction: true }))
      .get('/', async (c) => c.json(await attempt(bed.on(c.var.db))))
    expect(await (await app.request('/')).json()).toEqual(REFUSED)
    await bed.closed()
    expect(await bed.titles()).toEqual([])
  })

  it.each([
    ['that the server is at', `${SLEEP}, generate_series(1, 2)`],
    ['whose next rows nobody asks for', 'select generate_series(1, 2)'],
  ])('stops a stream %s', async (_, text) => {
    await using scope = bed.open()
    await scope.transaction(async (sql) => {
      const goOn = Promise.withResolvers<void>()
      const first = Promise.withResolvers<void>()
      let stream: Promise<unknown> | undefined
      const failing = bed
        .on(scope)
        .transaction()
        .execute(async (tx) => {
          const rows = raw.raw(text).compile(tx)
          stream = outcomeOf(
            (async () => {
              for await (const _row of tx.getExecutor().stream(rows, 1)) {
                first.resolve()
                await goOn.promise
              }
            })(),
          )
          await (text.includes(SLEEP) ? bed.untilRunning(SLEEP, 1) : first.promise)
          throw new RangeError('on purpose')
        })
      await expect(failing).rejects.toThrow('on purpose')
      goOn.resolve()
      expect(await stream).toMatch(/^(57014|ERR_TRANSACTION_OVER)$/)
      await sql`insert into books (title) values ('behind')`
    })
    expect(await bed.titles()).toEqual(['behind'])
  })
})

describe.skipIf(!inject('servers').pgbouncer)('a transaction of Kysely that has ended', () => {
  const bed = new KyselyBed()

  /** Without Kysely, some versions of which refuse by themselves. */
  async function leave(scope: Scope, end: string): Promise<unknown> {
    const pool = kyselyPool(scope)
    const client = await pool.connect()
    await client.query('begin', [])
    await client.query("insert into books (title) values ('inside')", [])
    await client.query(end, [])
    const between = outcomeOf(client.query("insert into books (title) values ('between')", []))
    client.release()
    const other = await pool.connect()
    const late = outcomeOf(client.query("insert into books (title) values ('late')", []))
    await other.query('begin', [])
    await other.query("insert into books (title) values ('other')", [])
    const later = outcomeOf(client.query("insert into books (title) values ('later')", []))
    await other.query('commit', [])
    other.release()
    return [await between, await late, await later]
  }

  it.each([
    ['commit', ['inside', 'other']],
    ['rollback', ['other']],
  ] as const)('is not left by what comes behind its end: %s', async (end, titles) => {
    await using scope = bed.open()
    expect(await leave(scope, end)).toEqual(Array(3).fill('ERR_TRANSACTION_OVER'))
    expect(await bed.titles()).toEqual(titles)
  })
})
