import assert from 'node:assert/strict'
import { Hono } from 'hono'
import type { NullpoolEvent } from 'nullpool'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'

/** As Supabase's runtime offers it. */
const background: Promise<unknown>[] = []
/** What it was given that is none of the language's own promises. */
const strange: unknown[] = []
Object.assign(globalThis, {
  EdgeRuntime: {
    waitUntil(promise: unknown) {
      if (Object.getPrototypeOf(promise) !== Promise.prototype) {
        strange.push(promise)
        throw new TypeError('waitUntil takes a promise.')
      }
      background.push(promise as Promise<unknown>)
    },
  },
})

async function serve<T>(
  handler: (request: Request, info: never) => Response | Promise<Response>,
  work: (at: string) => Promise<T>,
): Promise<T> {
  const server = Deno.serve({ hostname: '127.0.0.1', port: 0, onListen() {} }, handler)
  try {
    return await work(`http://127.0.0.1:${server.addr.port}`)
  } finally {
    await server.shutdown()
  }
}

Deno.test('Deno.serve(app.fetch) passes no bindings, and the variables are found', async () => {
  const events: NullpoolEvent[] = []
  const app = new Hono<{ Variables: NullpoolVariables }>()
  app.use(nullpool({ onEvent: (event) => void events.push(event) }))
  app.get('/', async (c) => c.json(await c.var.sql`select ${1}::int as n`))
  const body = await serve(app.fetch as never, async (at) => (await fetch(at)).json())
  assert.deepEqual(body, [{ n: 1 }])
  // The platform was asked to wait for the goodbye, which has been said by the end of it.
  assert.equal(background.length, 1)
  await Promise.all(background.splice(0))
  assert.equal(events.at(-1)?.type, 'close')
})

Deno.test('what is held goes on behind the response, and reaches the platform as a promise of the language', async () => {
  const events: NullpoolEvent[] = []
  const results: unknown[] = []
  const app = new Hono<{ Variables: NullpoolVariables }>()
  app.use(nullpool({ onEvent: (event) => void events.push(event) }))
  app.get('/', (c) => {
    const { sql, db } = c.var
    // A query of the driver is a thing to be awaited, and is not sent before. Deno aborts the
    // signal of the request meanwhile, as it does with every request that it has answered.
    db.hold(sql`select 7 as n from pg_sleep(0.2)`.then(([row]) => results.push(row?.n)))
    db.hold(sql`select 8 as n from pg_sleep(0.2)`)
    db.hold(sql`select 1 / 0`)
    return c.text('gone')
  })
  assert.equal(await serve(app.fetch as never, async (at) => (await fetch(at)).text()), 'gone')
  // More of them come until the goodbye has been said; none of them rejects.
  while (background.length > 0) await Promise.all(background.splice(0))
  assert.deepEqual(results, [7])
  assert.deepEqual(strange, [])
  const rejected = events.filter((event) => event.type === 'warning').map(({ message }) => message)
  assert.deepEqual(rejected, ['A promise given to hold() rejected (PostgresError).'])
  assert.equal(events.at(-1)?.type, 'close')
})

Deno.test('SUPABASE_DB_URL is used with a warning that names the secret to set', async () => {
  const events: NullpoolEvent[] = []
  const app = new Hono<{ Variables: NullpoolVariables }>()
  const direct = 'postgres://postgres:secret@db.abcdefghijklmnopqrst.supabase.co:5432/postgres'
  const transport = { name: 'none', connect: () => Promise.reject(new Error('not now')) }
  app.use(nullpool({ transport, onEvent: (event) => void events.push(event) }))
  app.get('/', async (c) => c.json(await c.var.sql`select 1`))
  app.onError((error, c) => c.text(error.message, 500))
  const url = Deno.env.get('DATABASE_URL') ?? ''
  Deno.env.delete('DATABASE_URL')
  Deno.env.set('SUPABASE_DB_URL', direct)
  try {
    await serve(app.fetch as never, async (at) => (await fetch(at)).text())
  } finally {
    Deno.env.set('DATABASE_URL', url)
    Deno.env.delete('SUPABASE_DB_URL')
  }
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
  assert.match(warnings.join('\n'), /DATABASE_URL/)
  assert.doesNotMatch(warnings.join('\n'), /secret@/)
  await Promise.allSettled(background.splice(0))
})
