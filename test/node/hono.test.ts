import { Hono } from 'hono'
import { timeout } from 'hono/timeout'
import type { Scope, Sql } from 'nullpool'
import { nullpool } from 'nullpool/hono'
import { describe, expect, inject, it } from 'vitest'
import { type App, honoBed } from '../support/hono-bed.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('nullpool()', () => {
  const bed = honoBed()

  it('opens nothing for a route that does not query', async () => {
    const app = bed.app().get('/', (c) => c.json({ connects: c.var.db.metrics.connects }))
    expect(await (await bed.get(app)).json()).toEqual({ connects: 0 })
    expect(bed.background).toHaveLength(0)
    await bed.expectClosed(0)
  })

  it('opens one connection for five queries and closes it behind the response', async () => {
    const app = bed.app().get('/', async (c) => {
      const rows = await Promise.all([1, 2, 3, 4, 5].map((n) => c.var.sql`select ${n}::int as n`))
      return c.json(rows.flat().map((row) => row.n))
    })
    expect(await (await bed.get(app)).json()).toEqual([1, 2, 3, 4, 5])
    expect(bed.background).toHaveLength(1)
    await bed.expectClosed(1)
  })

  it.each([
    ['json', (c: { json: (value: unknown) => Response }) => c.json({ a: 1 })],
    ['redirect', (c: { redirect: (to: string) => Response }) => c.redirect('/elsewhere')],
    ['text', (c: { text: (value: string) => Response }) => c.text('text')],
  ] as const)('leaves a %s response untouched', async (_name, respond) => {
    let made: Response | undefined
    const app: App = new Hono()
    let passed: Response | undefined
    app.use(async (c, next) => {
      await next()
      passed = c.res
    })
    app.use(nullpool({ url: bed.url() }))
    app.get('/', async (c) => {
      await c.var.sql`select 1`
      made = respond(c as never)
      return made
    })
    await bed.get(app)
    expect(passed).toBe(made)
    await bed.expectClosed(1)
  })

  it('adds Server-Timing where it is asked for, and nothing where nothing was queried', async () => {
    const app = bed
      .app({ serverTiming: true })
      .get('/', async (c) => c.json(await c.var.sql`select 1 as n`))
      .get('/nothing', (c) => c.text('nothing'))
      .get('/fetched', async (c) => {
        await c.var.sql`select 1`
        return fetch('data:text/plain,fetched')
      })
    const response = await bed.get(app)
    expect(response.headers.get('server-timing')).toMatch(
      /^db;dur=\d+, connect;dur=\d+, trips;desc="5"$/,
    )
    expect(await response.json()).toEqual([{ n: 1 }])
    expect((await bed.get(app, '/nothing')).headers.has('server-timing')).toBe(false)
    expect(await (await bed.get(app, '/fetched')).text()).toBe('fetched')
    const plain = bed.app().get('/', async (c) => c.json(await c.var.sql`select 1 as n`))
    expect((await bed.get(plain)).headers.has('server-timing')).toBe(false)
    await bed.expectClosed(3)
  })

  it('refuses a serverTiming that is none', () => {
    expect(() => bed.app({ serverTiming: 'yes' as never })).toThrow(/serverTiming/)
  })

  it('keeps the connection for a held promise', async () => {
    let held: Promise<unknown> = Promise.resolve()
    const gate = Promise.withResolvers<void>()
    const app = bed.app().get('/', async (c) => {
      await c.var.sql`select 1`
      held = gate.promise.then(() => c.var.sql`select 2`)
      c.var.db.hold(held)
      return c.text('ok')
    })
    expect(await (await bed.get(app)).text()).toBe('ok')
    expect(await bed.database.pooledClients()).toBe(1)
    gate.resolve()
    await held
    await bed.expectClosed(1)
  })

  it('rolls back and closes when the handler throws inside of a transaction', async () => {
    const app = bed.app().get('/', async (c) => {
      await c.var.sql.begin(async (tx) => {
        await tx`select 1`
        throw new Error('no')
      })
      return c.text('unreachable')
    })
    expect(await (await bed.get(app)).text()).toBe('no')
    await bed.expectClosed(1)
  })

  it('rolls back a transaction that nobody waits for', async () => {
    const app = bed.app().get('/', async (c) => {
      const begun = Promise.withResolvers<void>()
      const { sql } = c.var
      const dangling = sql.begin(async (tx) => {
        await tx`select 1`
        begun.resolve()
        await new Promise(() => {})
      })
      dangling.catch(() => {})
      await begun.promise
      throw new Error('left')
    })
    expect(await (await bed.get(app)).text()).toBe('left')
    await bed.expectClosed(1)
  })

  it.each(['outside', 'inside'] as const)(
    'closes when a timeout middleware %s of it gives up on the handler',
    async (place) => {
      const app: App = new Hono()
      app.onError((error, c) => c.text(error.message, 504))
      const wait = Promise.withResolvers<void>()
      const late = Promise.withResolvers<unknown>()
      if (place === 'outside') app.use(timeout(1_000))
      app.use(nullpool({ url: bed.url() }))
      if (place === 'inside') app.use(timeout(1_000))
      app.get('/', async (c) => {
        await c.var.sql`select 1`
        await wait.promise
        late.resolve(await Promise.resolve(c.var.sql`select 2`).catch((error: unknown) => error))
        return c.text('late')
      })
      // The handler's own failure is not Hono's business any more.
      const response = await bed.get(app)
      expect(response.status).toBe(504)
      await bed.expectClosed(1)
      wait.resolve()
    },
  )

  it('cancels and closes when the client disconnects', async () => {
    const controller = new AbortController()
    const app = bed.app().get('/', async (c) => {
      const sleeping = c.var.sql`select pg_sleep(30)`
      sleeping.execute()
      await expect
        .poll(
          () => bed.database.sql`
        select from pg_stat_activity where query like 'select pg_sleep(30)%' and state = 'active'
          and datname = current_database()`,
        )
        .toHaveLength(1)
      controller.abort()
      await sleeping
      return c.text('unreachable')
    })
    const response = await bed.get(app, '/', { signal: controller.signal })
    expect(await response.text()).toBe('ERR_ABORTED')
    // The second connection carried the request to cancel.
    await bed.expectClosed(2)
    expect(
      await bed.database.sql`
      select from pg_stat_activity where query like 'select pg_sleep(30)%' and state = 'active'
        and datname = current_database()`,
    ).toHaveLength(0)
  })

  it('refuses a sql that outlived its request or belongs to another', async () => {
    let leaked: { sql: Sql; db: Scope } | undefined
    const app = bed
      .app()
      .get('/leak', async (c) => {
        leaked = c.var
        await c.var.sql`select 1`
        return c.text('ok')
      })
      .get('/use', async (c) => c.json(await (leaked as { sql: Sql }).sql`select 1`))
    await bed.get(app, '/leak')
    await bed.expectClosed(1)
    const late = async (): Promise<unknown> => (leaked as { sql: Sql }).sql`select 1`
    await expect(late()).rejects.toMatchObject({ code: 'ERR_SCOPE_CLOSED' })
    expect(await (await bed.get(app, '/use')).text()).toBe('ERR_SCOPE_FOREIGN')
    await bed.expectClosed(1)
  })

  it('lists what it looked for when there is no connection string', async () => {
    const app: App = new Hono()
    app.onError((error, c) => c.text(error.message, 500))
    app.use(nullpool())
    app.get('/', async (c) => c.json(await c.var.sql`select 1`))
    app.get('/none', (c) => c.text('fine'))
    const text = await (await bed.get(app)).text()
    for (const name of ['Hyperdrive', 'DATABASE_URL', 'POSTGRES_URL', 'SUPABASE_DB_URL']) {
      expect(text).toContain(name)
    }
    expect(await (await bed.get(app, '/none')).text()).toBe('fine')
  })

  it('takes the connection string from the bindings', async () => {
    const app: App = new Hono()
    app.use(nullpool())
    app.get('/', async (c) => c.json(await c.var.sql`select 1 as n`))
    for (const env of [
      { DATABASE_URL: bed.url() },
      { POSTGRES_URL: bed.url() },
      { HYPERDRIVE: { connectionString: bed.url() }, DATABASE_URL: 'postgres://a:b@c/d' },
    ]) {
      expect(await (await app.request('/', {}, env)).json()).toEqual([{ n: 1 }])
    }
    await bed.expectClosed(3)
  })

  it('works where there is no execution context', async () => {
    const app = bed.app().get('/', async (c) => c.json(await c.var.sql`select 1 as n`))
    expect(await (await app.request('/')).json()).toEqual([{ n: 1 }])
    await bed.expectClosed(1)
  })
})
