import { stream, streamSSE, streamText } from 'hono/streaming'
import { describe, expect, inject, it } from 'vitest'
import { honoBed } from '../support/hono-bed.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('nullpool() and streams', () => {
  const bed = honoBed()

  it.each([
    ['stream', 'before'],
    ['stream', 'after'],
    ['streamText', 'before'],
    ['streamText', 'after'],
    ['streamSSE', 'before'],
    ['streamSSE', 'after'],
  ] as const)(
    'keeps one connection for the body of %s, first query %s the handler returned',
    async (kind, when) => {
      const returned = Promise.withResolvers<void>()
      const helper = { stream, streamText, streamSSE }[kind] as typeof stream
      const app = bed.app().get('/', async (c) => {
        const first = when === 'before' ? await c.var.sql`select 0 as n` : []
        return helper(c, async (body) => {
          await returned.promise
          for (let n = first.length; n < 4; n += 1) {
            const [row] = await c.var.sql`select ${n}::int as n`
            await body.write(`${row?.n} `)
            // A pause in which the connection is idle: the client reads what was written.
            await new Promise((resolve) => setTimeout(resolve, 20))
          }
          await body.write(`connects ${c.var.db.metrics.connects}`)
        })
      })
      const response = await bed.get(app)
      returned.resolve()
      expect(await response.text()).toBe(`${when === 'before' ? '' : '0 '}1 2 3 connects 1`)
      await bed.expectClosed(1)
    },
  )

  it('closes behind a stream whose callback fails', async () => {
    const app = bed.app().get('/', (c) =>
      stream(
        c,
        async () => {
          await c.var.sql`select 1`
          throw new Error('in the stream')
        },
        async () => {},
      ),
    )
    await (await bed.get(app)).text()
    await bed.expectClosed(1)
  })

  it('closes and cancels when the client leaves a stream', async () => {
    const app = bed.app().get('/', (c) =>
      stream(
        c,
        async (body) => {
          const rows = c.var.sql`select n from generate_series(1, 1000000) as n`.cursor(10)
          for await (const [row] of rows) await body.write(`${row?.n}\n`)
        },
        async () => {},
      ),
    )
    const response = await bed.get(app)
    const reader = response.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    await bed.expectClosed(1)
  })

  it('passes a cursor in a Response of the user’s own and closes behind it', async () => {
    const app = bed.app().get('/', (c) => {
      const rows = c.var.sql`select n from generate_series(1, 25) as n`.cursor(10)
      const iterator = rows[Symbol.asyncIterator]()
      return new Response(
        new ReadableStream({
          async pull(controller) {
            const { done, value } = await iterator.next()
            if (done) return controller.close()
            controller.enqueue(new TextEncoder().encode(`${value.length} `))
          },
        }),
      )
    })
    expect(await (await bed.get(app)).text()).toBe('10 10 5 ')
    await bed.expectClosed(1)
  })

  it('closes behind HEAD, whose body nobody reads', async () => {
    const app = bed.app().get('/', async (c) => {
      await c.var.sql`select 1`
      return stream(
        c,
        async (body) => {
          for (let n = 0; n < 1000; n += 1) {
            await c.var.sql`select 1`
            await body.write('x'.repeat(100_000))
          }
        },
        async () => {},
      )
    })
    expect((await bed.get(app, '/', { method: 'HEAD' })).status).toBe(200)
    await bed.expectClosed(1)
  })
})
