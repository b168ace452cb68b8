import { compress } from 'hono/compress'
import { NullpoolError } from 'nullpool'
import type { NullpoolOptions } from 'nullpool/hono'
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type App, honoBed } from '../support/hono-bed.ts'
import {
  ASKING,
  asking,
  type C,
  COMPLETE,
  form,
  type Make,
  MIB,
  STREAMED,
  streamOf,
  typed,
} from '../support/hono-bodies.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('bodies of a request that is a transaction', () => {
  const bed = honoBed()
  beforeAll(async () => {
    await bed.database.sql`create table deeds (name text)`
  })
  afterEach(async () => {
    await bed.database.sql`truncate deeds`
  })
  const deeds = async (): Promise<unknown[]> =>
    (await bed.database.sql`select name from deeds order by name`).map(({ name }) => name)

  let failure: unknown
  const app = (make: Make, options: NullpoolOptions = {}): App => {
    const routes = bed.app({ transaction: true, pooler: 'pgbouncer', ...options })
    routes.get('/', async (c) => {
      await c.var.sql`insert into deeds values ('handler')`
      return make(c)
    })
    routes.onError((error, c) => {
      failure = error
      return c.text(NullpoolError.is(error) ? error.code : error.message, 500)
    })
    return routes
  }
  /** The whole was refused and rolled back, with a way out. */
  const expectRefused = async (response: Response): Promise<void> => {
    expect([response.status, await response.text()]).toEqual([500, 'ERR_TRANSACTION_STREAM'])
    expect(failure).toMatchObject({
      code: 'ERR_TRANSACTION_STREAM',
      outcome: 'rolled back',
      hint: expect.stringContaining('without transaction'),
    })
    await bed.expectClosed(1)
    expect(await deeds()).toEqual([])
  }

  it.each(COMPLETE)('commits with %s', async (_, make, said) => {
    const response = await bed.get(app(make))
    expect(response.status).toBeLessThan(500)
    expect(await deeds()).toEqual(['handler'])
    const body = new Uint8Array(await response.arrayBuffer())
    if (said instanceof Uint8Array) expect(body).toEqual(said)
    else if (typeof said === 'string') expect(new TextDecoder().decode(body)).toBe(said)
    else expect(new TextDecoder().decode(body)).toMatch(said)
    await bed.expectClosed(1)
  })

  it('commits with a value of any size, which is there anyway', async () => {
    const size = 40 * MIB
    const response = await bed.get(app(() => new Response(new Uint8Array(size))))
    expect((await response.arrayBuffer()).byteLength).toBe(size)
    expect(await deeds()).toEqual(['handler'])
    await bed.expectClosed(1)
  })

  it('keeps status and headers of a body that it has read', async () => {
    const headers = { 'content-type': 'text/csv', 'content-length': '4', 'x-mine': '1' }
    const routes = app(() => new Response('a,b\n', { status: 201, headers }))
    const response = await bed.get(routes)
    expect(response.status).toBe(201)
    expect(Object.fromEntries(response.headers)).toEqual(headers)
    expect((await (await bed.get(app(() => new Response(form())))).formData()).get('a')).toBe('b')
    await bed.expectClosed(2)
  })

  it.each(ASKING)('makes a body of %s a part of it', async (_, make) => {
    const response = await bed.get(app(make))
    expect(await deeds()).toEqual(['body', 'handler'])
    expect([response.status, await response.text()]).toEqual([200, 'asked'])
    await bed.expectClosed(1)
  })

  it('makes transactions and batches of a body a part of it', async () => {
    const routes = app((c) => {
      async function* parts() {
        const { db } = c.var
        await db.transaction((sql) => sql`insert into deeds values ('kept')`)
        await db
          .transaction(async (sql) => {
            await sql`insert into deeds values ('undone')`
            throw new Error('back')
          })
          .catch(() => undefined)
        const [[row]] = await db.batch((sql) => [
          sql<{ n: number }[]>`select count(*)::int as n from deeds`,
        ])
        yield String(row?.n)
      }
      return new Response(streamOf(parts()))
    })
    expect(await (await bed.get(routes)).text()).toBe('2')
    expect(await deeds()).toEqual(['handler', 'kept'])
    await bed.expectClosed(1)
  })

  it.each(ASKING)('rolls back where a body of %s fails', async (_, make) => {
    const fails: Make = async (c) => {
      const { headers } = await make(c)
      const broken = asking(c, () => {
        throw new RangeError('in the body')
      })
      return new Response(broken, { headers })
    }
    await expectRefused(await bed.get(app(fails)))
    expect(failure).toMatchObject({ cause: { message: 'in the body' } })
  })

  it('rolls back where a statement of a body fails, also one whose error is kept quiet', async () => {
    const failing = (quiet: boolean) => (c: C) => {
      const body = async function* () {
        const asked = c.var.sql`select 1 / 0`
        if (quiet) await asked.catch(() => undefined)
        else await asked
        yield 'done'
      }
      return new Response(streamOf(body()))
    }
    const quiet = await bed.get(app(failing(true)))
    expect([quiet.status, await quiet.text()]).toEqual([500, 'ERR_TRANSACTION_ROLLED_BACK'])
    expect(await deeds()).toEqual([])
    await bed.expectClosed(1)
    const loud = await bed.get(app(failing(false)))
    expect([loud.status, await loud.text()]).toEqual([500, 'ERR_TRANSACTION_STREAM'])
    expect(failure).toMatchObject({ cause: { code: '22012' } })
    expect(await deeds()).toEqual([])
    await bed.expectClosed(2)
  })

  it('gives up a body that is too long for it', async () => {
    let cancelled: unknown
    const endless = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(MIB)),
          cancel: (reason) => {
            cancelled = reason
          },
        }),
      )
    await expectRefused(await bed.get(app(endless)))
    expect(String(failure)).toContain('32 MiB')
    expect(cancelled).toBeDefined()
  })

  it('gives up a body that does not end in time', async () => {
    const cancelled = Promise.withResolvers<void>()
    const silent = () =>
      new Response(new ReadableStream({ cancel: () => cancelled.resolve() }), typed('text/csv'))
    await expectRefused(await bed.get(app(silent, { queryTimeoutMs: 2_000 })))
    await cancelled.promise
  })

  it.each(STREAMED)('refuses at once what is made to be streamed: %s', async (_, make) => {
    await expectRefused(await bed.get(app(make)))
  })

  it('leaves nothing running of what it has refused', async () => {
    const cancelled = Promise.withResolvers<void>()
    const routes = app((c) => c.body(new ReadableStream({ cancel: () => cancelled.resolve() })))
    await expectRefused(await bed.get(routes))
    await cancelled.promise
  })

  it('knows a stream whose headers a middleware has added to, and reads what another one is made of', async () => {
    const behind = (make: Make, change: (c: C) => void): App => {
      const routes = bed.app({ transaction: true, pooler: 'pgbouncer' })
      routes.use(async (c, next) => {
        await next()
        change(c)
      })
      routes.get('/', async (c) => {
        await c.var.sql`insert into deeds values ('handler')`
        return make(c)
      })
      return routes
    }
    const header = (c: C): void => c.header('x-late', '1')
    const refused = await bed.get(behind((c) => c.body(asking(c)), header))
    expect([refused.status, await refused.text()]).toEqual([500, 'ERR_TRANSACTION_STREAM'])
    expect(await deeds()).toEqual([])
    const json = await bed.get(behind((c) => c.json([1]), header))
    expect([json.headers.get('x-late'), await json.text()]).toEqual(['1', '[1]'])
    const another = (c: C): void => {
      c.res = new Response('another', c.res)
    }
    const replaced = await bed.get(behind((c) => c.body(asking(c)), another))
    expect([replaced.status, await replaced.text()]).toEqual([200, 'another'])
    expect(await deeds()).toEqual(['handler', 'handler'])
    await bed.expectClosed(3)
  })

  it('commits before a body is compressed behind it', async () => {
    const routes = bed.app({ transaction: true, pooler: 'pgbouncer' })
    routes.use(compress({ threshold: 1 }))
    routes.get('/', async (c) => {
      await c.var.sql`insert into deeds values ('handler')`
      return c.json({ some: 'x'.repeat(5_000) })
    })
    const init = { headers: { 'accept-encoding': 'gzip' } }
    const response = await bed.get(routes, '/', init)
    expect(response.headers.get('content-encoding')).toBe('gzip')
    expect(await deeds()).toEqual(['handler'])
    const gunzipped = response.body?.pipeThrough(new DecompressionStream('gzip'))
    expect(await new Response(gunzipped).json()).toEqual({ some: 'x'.repeat(5_000) })
    await bed.expectClosed(1)
  })

  it.each([...COMPLETE.slice(0, 12), ...ASKING])(
    'does for HEAD what it does for GET: %s',
    async (...[, make]) => {
      const routes = app(make)
      const expected = (await bed.get(routes)).status
      const kept = await deeds()
      await bed.database.sql`truncate deeds`
      const head = await bed.get(routes, '/', { method: 'HEAD' })
      expect([head.status, await head.text()]).toEqual([expected, ''])
      expect(await deeds()).toEqual(kept)
      await bed.expectClosed(2)
    },
  )

  it.each(STREAMED)('refuses %s for HEAD too', async (_, make) => {
    const head = await bed.get(app(make), '/', { method: 'HEAD' })
    expect(head.status).toBe(500)
    await bed.expectClosed(1)
    expect(await deeds()).toEqual([])
  })

  it('rolls back where the client leaves while its body is read', async () => {
    const controller = new AbortController()
    const cancelled = Promise.withResolvers<void>()
    const routes = app((c) => {
      const body = new ReadableStream({
        async pull() {
          await c.var.sql`insert into deeds values ('body')`
          controller.abort()
          await cancelled.promise
        },
        cancel: () => cancelled.resolve(),
      })
      return new Response(body)
    })
    const response = await bed.get(routes, '/', { signal: controller.signal })
    expect(response.status).toBe(500)
    await cancelled.promise
    await bed.expectClosed(1)
    expect(await deeds()).toEqual([])
  })

  it('passes a body on, as it comes, where nothing was asked before', async () => {
    const routes = bed.app({ transaction: true, pooler: 'pgbouncer' })
    routes.get('/', (c) => new Response(asking(c)))
    const response = await bed.get(routes)
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toMatchObject({ code: 'ERR_TRANSACTION_OVER' })
    expect(await deeds()).toEqual([])
    await bed.expectClosed(0)
  })

  it('passes a stream on where values were built and nothing was asked', async () => {
    const routes = bed.app({ transaction: true, pooler: 'pgbouncer' })
    routes.get('/', (c) => {
      const { sql } = c.var
      for (const built of [sql.json({}), sql.array([1]), sql.typed('x', 25)]) void built
      return c.body(new Blob(['whole']).stream())
    })
    const response = await bed.get(routes)
    expect([response.status, await response.text()]).toEqual([200, 'whole'])
    await bed.expectClosed(0)
  })
})
