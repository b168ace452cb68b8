import assert from 'node:assert/strict'
import { Hono } from 'hono'
import { stream } from 'hono/streaming'
import type { NullpoolEvent } from 'nullpool'
import { type NullpoolOptions, type NullpoolVariables, nullpool } from 'nullpool/hono'
import type { Place, Test } from './contract.ts'

type App = Hono<{ Variables: NullpoolVariables }>

/** What came of one request. */
interface Answer {
  status: number
  text: string
  /** What the connection did, in order, once everything is over. */
  events: string[]
}

/** What every runtime must show of the middleware. */
export function honoMiddleware(test: Test, { options, run }: Place): void {
  const ask = async (build: (app: App) => void, more: NullpoolOptions = {}): Promise<Answer> => {
    const events: NullpoolEvent[] = []
    const app: App = new Hono()
    app.use(nullpool({ ...options, ...more, onEvent: (event) => void events.push(event) }))
    app.onError((error, c) => c.text(error.message, 500))
    build(app)
    const background: Promise<unknown>[] = []
    const waitUntil = (promise: Promise<unknown>) => void background.push(promise)
    const context = { waitUntil, passThroughOnException() {}, props: {} }
    const response = await app.request('/', {}, {}, context)
    const text = await response.text()
    while (background.length > 0) await Promise.all(background.splice(0))
    const types = events.map(({ type }) => type).filter((type) => type !== 'warning')
    return { status: response.status, text, events: types }
  }

  /** A table for the time of some work. */
  const withTable = (work: (name: string) => Promise<void>): Promise<void> =>
    run(async ({ sql }) => {
      const name = `contract_hono_${crypto.randomUUID().replaceAll('-', '')}`
      await sql`create table ${sql(name)} (n int)`
      await work(name)
      await sql`drop table ${sql(name)}`
    })

  const count = (name: string): Promise<number> =>
    run(async ({ sql }) => (await sql`select count(*)::int as n from ${sql(name)}`)[0]?.n)

  test('a route gets its connection with the first query, and it closes behind the response', async () => {
    const answer = await ask((app) =>
      app.get('/', async (c) => {
        const rows = await c.var.sql`select ${1}::int as n`
        return c.json({ rows, connects: c.var.db.metrics.connects })
      }),
    )
    assert.equal(answer.text, '{"rows":[{"n":1}],"connects":1}')
    assert.deepEqual(answer.events, ['connect', 'query', 'close'])
  })

  test('a route that does not query opens nothing', async () => {
    const answer = await ask((app) => app.get('/', (c) => c.text('hello')))
    assert.deepEqual([answer.text, answer.events], ['hello', []])
  })

  test('a handler that throws closes its connection, and its transaction is rolled back', () =>
    withTable(async (table) => {
      const answer = await ask((app) =>
        app.get('/', async (c) => {
          await c.var.sql.begin(async (tx) => {
            await tx`insert into ${tx(table)} values (1)`
            throw new Error('thrown')
          })
          return c.text('unreachable')
        }),
      )
      assert.deepEqual([answer.status, answer.text], [500, 'thrown'])
      assert.equal(answer.events.at(-1), 'close')
      assert.equal(await count(table), 0)
    }))

  test('a streamed response keeps the connection until its end', async () => {
    const answer = await ask((app) =>
      app.get('/', (c) =>
        stream(c, async (body) => {
          const rows = c.var.sql`select n from generate_series(1, 250) as n`.cursor(100)
          for await (const batch of rows) await body.write(`${batch.length} `)
        }),
      ),
    )
    assert.equal(answer.text, '100 100 50 ')
    assert.deepEqual([answer.events[0], answer.events.at(-1)], ['connect', 'close'])
  })

  test('hold() lets work finish behind the response', () =>
    withTable(async (table) => {
      const answer = await ask((app) =>
        app.get('/', (c) => {
          const { sql, db } = c.var
          db.hold((async () => sql`insert into ${sql(table)} select 1 from pg_sleep(0.05)`)())
          return c.text('gone')
        }),
      )
      assert.equal(answer.text, 'gone')
      assert.equal(await count(table), 1)
    }))

  test('transaction: true commits with the response, and rolls back with a 500', () =>
    withTable(async (table) => {
      for (const status of [200, 500] as const) {
        const answer = await ask(
          (app) =>
            app.get('/', async (c) => {
              await c.var.sql`insert into ${c.var.sql(table)} values (1)`
              return c.text('done', status)
            }),
          { transaction: true },
        )
        assert.equal(answer.status, status)
      }
      assert.equal(await count(table), 1)
    }))

  test('claims: the request is somebody’s', async () => {
    const answer = await ask(
      (app) =>
        app.get('/', async (c) =>
          c.json(
            await c.var.sql`
          select current_setting('request.jwt.claims')::jsonb->>'sub' as sub, current_role as role`,
          ),
        ),
      {
        roles: ['pg_monitor'],
        anonymousRole: 'pg_monitor',
        hyperdriveCaching: false,
        claims: () => ({ sub: 'ada' }),
      },
    )
    assert.equal(answer.text, '[{"sub":"ada","role":"pg_monitor"}]')
  })
}
