import type { Context } from 'hono'
import type { NullpoolVariables, RequestTransactionOptions } from 'nullpool/hono'
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type App, honoBed } from '../support/hono-bed.ts'

const { pgbouncer } = inject('servers')

type Handled = Context<{ Variables: NullpoolVariables }>

const write = async (c: Handled): Promise<void> => {
  await c.var.sql`insert into deeds values ('done')`
}

/** A handler that returns what no type allows. */
const returning =
  (value: unknown) =>
  (app: App): unknown =>
    app.get('/', (async (c: Handled) => {
      await write(c)
      return value
    }) as never)

/** Requests that nobody can answer. */
const UNANSWERED: Record<string, (app: App) => unknown> = {
  'a handler forgets to return': returning(undefined),
  'a handler returns a text': returning('done'),
  'a handler returns an object': returning({ done: true }),
  'a handler returns a status': returning({ status: 200 }),
  'a middleware forgets next()': (app) => app.use(write as never).get('/', (c) => c.text('never')),
  'a middleware swallows what is no Error': (app) =>
    app
      .use(async (_c, next) => {
        await next().catch(() => undefined)
      })
      .get('/', async (c) => {
        await write(c)
        throw 'no Error'
      }),
}

describe.skipIf(!pgbouncer)('the response of a request that is a transaction', () => {
  const bed = honoBed()
  beforeAll(async () => {
    await bed.database.sql`create table deeds (name text)`
  })
  afterEach(async () => {
    await bed.database.sql`truncate deeds`
  })
  const deeds = async (): Promise<unknown[]> =>
    (await bed.database.sql`select name from deeds`).map(({ name }) => name)
  const app = (transaction: true | RequestTransactionOptions = true): App =>
    bed.app({ transaction, pooler: 'pgbouncer' })

  it.each(Object.entries(UNANSWERED))(
    'is missing, and all rolled back, where %s',
    async (_, on) => {
      const routes = app()
      on(routes)
      const response = await bed.get(routes)
      expect([response.status, await response.text()]).toEqual([500, 'ERR_TRANSACTION_ROLLED_BACK'])
      await bed.expectClosed(1)
      expect(await deeds()).toEqual([])
    },
  )

  it('is missing whatever the rule says', async () => {
    const routes = app({ rollbackWhen: () => false })
    returning(undefined)(routes)
    expect((await bed.get(routes)).status).toBe(500)
    await bed.expectClosed(1)
    expect(await deeds()).toEqual([])
  })

  it('is for Hono to tell of where no statement has run', async () => {
    const routes = app().get('/', (async () => undefined) as never)
    const response = await bed.get(routes)
    expect(response.status).toBe(500)
    expect(await response.text()).toMatch(/^Context is not finalized/)
    await bed.expectClosed(0)
  })

  it.each<true | RequestTransactionOptions>([true, { rollbackWhen: () => false }])(
    'is passed on, and all rolled back, where it is Response.error(): %j',
    async (transaction) => {
      const routes = app(transaction).get('/', async (c) => {
        await write(c)
        return Response.error()
      })
      expect((await bed.get(routes)).type).toBe('error')
      await bed.expectClosed(1)
      expect(await deeds()).toEqual([])
    },
  )

  it.each<[string, () => Promise<boolean>, number, string[]]>([
    ['true', async () => true, 200, []],
    ['false', async () => false, 200, ['done']],
    ['an error', async () => Promise.reject(new Error('undecided')), 500, []],
  ])('is judged by a rule that promises %s', async (_, rollbackWhen, status, left) => {
    const routes = app({ rollbackWhen }).get('/', async (c) => {
      await write(c)
      return c.text('done')
    })
    expect((await bed.get(routes)).status).toBe(status)
    await bed.expectClosed(1)
    expect(await deeds()).toEqual(left)
  })

  it('is judged by a rule that asks the transaction', async () => {
    const rollbackWhen = async ({ var: { sql } }: Handled): Promise<boolean> => {
      const [row] = await sql<{ n: number }[]>`select count(*)::int as n from deeds`
      return row?.n !== 1
    }
    const routes = app({ rollbackWhen }).get('/:times', async (c) => {
      for (let time = 0; time < Number(c.req.param('times')); time += 1) await write(c)
      return c.text('done')
    })
    await bed.get(routes, '/2')
    expect(await deeds()).toEqual([])
    await bed.get(routes, '/1')
    expect(await deeds()).toEqual(['done'])
    await bed.expectClosed(2)
  })
})
