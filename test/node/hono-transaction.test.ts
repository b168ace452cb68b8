import { stream } from 'hono/streaming'
import type { RequestTransactionOptions } from 'nullpool/hono'
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type App, honoBed } from '../support/hono-bed.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('nullpool({ transaction })', () => {
  const bed = honoBed()
  beforeAll(async () => {
    await bed.database
      .sql`create table deeds (name text, unique (name) deferrable initially deferred)`
  })
  afterEach(async () => {
    await bed.database.sql`truncate deeds`
  })
  const deeds = async (): Promise<unknown[]> =>
    (await bed.database.sql`select name from deeds order by 1`).map(({ name }) => name)
  const app = (transaction: true | RequestTransactionOptions = true): App =>
    bed.app({ transaction, pooler: 'pgbouncer' })

  it('commits before the response leaves', async () => {
    const routes = app().get('/', async (c) => {
      await c.var.sql`insert into deeds values ('one')`
      await c.var.sql`insert into deeds values ('two')`
      expect(await deeds()).toEqual([])
      return c.text('done')
    })
    const response = await bed.get(routes)
    expect(await deeds()).toEqual(['one', 'two'])
    expect(await response.text()).toBe('done')
    await bed.expectClosed(1)
  })

  it('opens nothing for a route that does not query', async () => {
    const routes = app().get('/', (c) => c.text('nothing'))
    expect(await (await bed.get(routes)).text()).toBe('nothing')
    await bed.expectClosed(0)
  })

  it.each([
    ['throws', 500],
    ['answers 500', 500],
    ['answers 503', 503],
    ['fails in a middleware behind', 500],
  ] as const)('rolls back when the handler %s', async (how, status) => {
    const routes = app()
    routes.use(async (_c, next) => {
      await next()
      if (how.startsWith('fails')) throw new Error('behind')
    })
    routes.get('/', async (c) => {
      await c.var.sql`insert into deeds values ('undone')`
      if (how === 'throws') throw new Error('on purpose')
      return c.text(how, how === 'fails in a middleware behind' ? 200 : status)
    })
    expect((await bed.get(routes)).status).toBe(status)
    await bed.expectClosed(1)
    expect(await deeds()).toEqual([])
  })

  it('rolls back where another rule says so, and commits where it does not', async () => {
    const routes = app({ rollbackWhen: (c) => c.res.status >= 400 && c.res.status < 500 })
      .get('/404', async (c) => {
        await c.var.sql`insert into deeds values ('404')`
        return c.text('', 404)
      })
      .get('/500', async (c) => {
        await c.var.sql`insert into deeds values ('500')`
        return c.text('', 500)
      })
    expect((await bed.get(routes, '/404')).status).toBe(404)
    expect((await bed.get(routes, '/500')).status).toBe(500)
    await bed.expectClosed(2)
    expect(await deeds()).toEqual(['500'])
  })

  it('answers with the error of a COMMIT that fails', async () => {
    const routes = app().get('/', async (c) => {
      await c.var.sql`insert into deeds values ('twice'), ('twice')`
      return c.text('done')
    })
    const response = await bed.get(routes)
    expect(response.status).toBe(500)
    expect(await response.text()).toContain('duplicate key')
    await bed.expectClosed(1)
    expect(await deeds()).toEqual([])
  })

  it('answers with an error where a statement had failed and the handler went on', async () => {
    const routes = app().get('/', async (c) => {
      await c.var.sql`insert into deeds values ('lost')`
      await c.var.sql`select 1/0`.catch(() => undefined)
      return c.text('done')
    })
    const response = await bed.get(routes)
    expect([response.status, await response.text()]).toEqual([500, 'ERR_TRANSACTION_ROLLED_BACK'])
    await bed.expectClosed(1)
    expect(await deeds()).toEqual([])
  })

  it('refuses a streamed body behind a statement and rolls back', async () => {
    const left = Promise.withResolvers<void>()
    const routes = app()
      .get('/stream', async (c) => {
        await c.var.sql`insert into deeds values ('half')`
        return stream(c, async (body) => void (await body.write('half')))
      })
      .get('/late', (c) =>
        stream(c, async (body) => {
          const { sql, db } = c.var
          await left.promise
          const late = [
            async () => sql`select 1`,
            async () => db.transaction((inner) => inner`select 1`),
            async () => db.batch((inner) => [inner`select 1`]),
          ]
          for (const use of late) {
            const failure = await use().catch((error: Error) => error)
            await body.write(`${Reflect.get(failure, 'code')} `)
          }
        }),
      )
      .get('/none', (c) => stream(c, async (body) => void (await body.write('no query'))))
    const refused = await bed.get(routes, '/stream')
    expect([refused.status, await refused.text()]).toEqual([500, 'ERR_TRANSACTION_STREAM'])
    expect(await deeds()).toEqual([])
    expect(await (await bed.get(routes, '/none')).text()).toBe('no query')
    const over = 'ERR_TRANSACTION_OVER '
    const late = await bed.get(routes, '/late')
    left.resolve()
    expect(await late.text()).toBe(over.repeat(3))
    await bed.expectClosed(1)
  })

  it('makes transactions inside of it savepoints', async () => {
    const routes = app().get('/', async (c) => {
      await c.var.sql`insert into deeds values ('kept')`
      await c.var.db
        .transaction(async (sql) => {
          await sql`insert into deeds values ('undone')`
          throw new Error('back')
        })
        .catch(() => undefined)
      await c.var.sql.begin(async (sql) => sql`insert into deeds values ('begun')`)
      await c.var.sql
        .begin(async (sql) => {
          await sql`insert into deeds values ('undone')`
          throw new Error('back')
        })
        .catch(() => undefined)
      const [[batched]] = await c.var.db.batch((sql) => [
        sql<{ n: number }[]>`select count(*)::int as n from deeds`,
      ])
      expect(batched).toEqual({ n: 2 })
      await expect(
        c.var.sql.begin('read only', async (sql) => sql`select 1`),
      ).rejects.toMatchObject({ code: 'ERR_OPTIONS' })
      return c.text('done')
    })
    expect(await (await bed.get(routes)).text()).toBe('done')
    expect(await deeds()).toEqual(['begun', 'kept'])
    await bed.expectClosed(1)
  })

  it('spends a trip for COMMIT and none for BEGIN; of a reading one none that anybody waits for', async () => {
    const trips: number[] = []
    const bodies = async (options: true | RequestTransactionOptions): Promise<void> => {
      const routes = app(options).get('/', async (c) => {
        await c.var.sql`select 1`
        const before = c.var.db.metrics.roundTrips
        await c.var.sql`select 2`
        trips.push(c.var.db.metrics.roundTrips - before)
        return c.json({ trips: c.var.db.metrics.roundTrips })
      })
      await (await bed.get(routes)).text()
    }
    await bodies(true)
    await bodies({ readOnly: true, isolation: 'repeatable read' })
    expect(trips).toEqual([1, 1])
    await bed.expectClosed(2)
  })

  it('is dead behind its end', async () => {
    let late: Promise<unknown> = Promise.resolve()
    const ended = Promise.withResolvers<void>()
    const routes = app().get('/', async (c) => {
      await c.var.sql`select 1`
      late = ended.promise
        .then(() => c.var.sql`insert into deeds values ('late')`)
        .catch((error) => error)
      c.var.db.hold(late)
      return c.text('done')
    })
    await bed.get(routes)
    ended.resolve()
    expect(await late).toMatchObject({ code: 'ERR_TRANSACTION_OVER' })
    await bed.expectClosed(1)
    expect(await deeds()).toEqual([])
  })

  it.each(['reserve', 'listen', 'subscribe', 'largeObject'] as const)(
    'says that sql.%s cannot be part of it',
    async (name) => {
      const routes = app().get('/', async (c) => {
        await (c.var.sql[name] as () => Promise<unknown>)()
        return c.text('done')
      })
      const response = await bed.get(routes)
      expect([response.status, await response.text()]).toEqual([500, 'ERR_SESSION_STATE'])
      await bed.expectClosed(0)
    },
  )

  it('refuses other claims inside of it, and options that there are not', async () => {
    const routes = app().get('/', (c) => {
      c.var.db.as({})
      return c.text('done')
    })
    expect(await (await bed.get(routes)).text()).toBe('ERR_OPTIONS')
    for (const transaction of [
      1,
      'yes',
      null,
      { retries: 1 },
      { rollbackWhen: 500 },
      { read: 1 },
    ]) {
      expect(() => bed.app({ transaction: transaction as never })).toThrow(/transaction/)
    }
    await bed.expectClosed(0)
  })
})
