import { Hono } from 'hono'
import { stream } from 'hono/streaming'
import { timeout } from 'hono/timeout'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'

declare const WebSocketPair: new () => { 0: AcceptedSocket; 1: AcceptedSocket }
interface AcceptedSocket extends WebSocket {
  accept(): void
}

/** Routes of every kind, each of which answers with the number that it was asked for. */
const app = new Hono<{ Variables: NullpoolVariables }>()

app.use('/impatient/*', timeout(100))
app.use(nullpool())

app.get('/none/:n', (c) =>
  c.json({ n: Number(c.req.param('n')), connects: c.var.db.metrics.connects }),
)

app.get('/value/:n', async (c) => {
  const [row] = await c.var.sql`select ${Number(c.req.param('n'))}::int as n`
  return c.json({ ...row, connects: c.var.db.metrics.connects })
})

app.get('/five/:n', async (c) => {
  const n = Number(c.req.param('n'))
  const rows = await Promise.all([1, 2, 3, 4, 5].map((k) => c.var.sql`select ${n * k}::int as n`))
  const sum = rows.reduce((total, [row]) => total + Number(row?.n), 0)
  return c.json({ n: sum / 15, connects: c.var.db.metrics.connects })
})

app.get('/begin/:n', async (c) => {
  const n = Number(c.req.param('n'))
  const [row] = await c.var.sql.begin(async (tx) => {
    await tx`select set_config('storm.n', ${String(n)}, true)`
    return tx`select current_setting('storm.n')::int as n`
  })
  return c.json({ ...row, connects: c.var.db.metrics.connects })
})

app.get('/throw/:n', async (c) => {
  await c.var.sql.begin(async (tx) => {
    await tx`select ${c.req.param('n')}::int`
    throw new Error(`thrown ${c.req.param('n')}`)
  })
  return c.text('unreachable')
})

app.get('/dangling/:n', async (c) => {
  const { sql } = c.var
  await new Promise<void>((resolve) => {
    // Never ends: the handler throws while its transaction is open.
    void sql
      .begin(async (tx) => {
        await tx`select 1`
        resolve()
        await new Promise(() => undefined)
      })
      .catch(() => undefined)
  })
  throw new Error(`dangling ${c.req.param('n')}`)
})

app.get('/stream/:n', (c) =>
  stream(c, async (body) => {
    const n = Number(c.req.param('n'))
    for (let k = 0; k < 3; k += 1) {
      const [row] = await c.var.sql`select ${n}::int as n`
      await body.write(`${row?.n}\n`)
    }
    await body.write(`${c.var.db.metrics.connects}\n`)
  }),
)

app.get('/cursor/:n', (c) =>
  stream(
    c,
    async (body) => {
      const rows = c.var
        .sql`select ${Number(c.req.param('n'))}::int as n from generate_series(1, 500)`
      for await (const batch of rows.cursor(50)) {
        await body.write(batch.map((row) => `${row.n}\n`).join(''))
      }
    },
    quiet,
  ),
)

app.get('/slow/:n', async (c) => {
  const [row] = await c.var.sql`select pg_sleep(0.05), ${Number(c.req.param('n'))}::int as n`
  return c.json({ n: row?.n, connects: c.var.db.metrics.connects })
})

app.get('/sleep/:n', async (c) => {
  await c.var.sql`select pg_sleep(${Number(c.req.param('n'))})`
  return c.text('awake')
})

app.get('/impatient/:n', async (c) => {
  await c.var.sql.begin(async (tx) => {
    await tx`select ${c.req.param('n')}::int`
    await tx`select pg_sleep(1)`
  })
  return c.text('too late')
})

app.get('/socket/:n', async (c) => {
  const { sql } = c.var
  const [row] = await sql`select ${Number(c.req.param('n'))}::int as n`
  const { 0: client, 1: server } = new WebSocketPair()
  server.accept()
  server.addEventListener('message', () => {
    // The request that owned the connection is over: this must be told, and not hang.
    Promise.resolve()
      .then(() => sql`select 1`)
      .catch((error: { code: string }) => server.send(error.code))
  })
  server.send(String(row?.n))
  return new Response(null, { status: 101, webSocket: client } as ResponseInit)
})

/** Clients that leave make streams fail; nobody has to read that. */
async function quiet(): Promise<void> {}

app.onError((error, c) => c.text(error.message, 'status' in error ? 504 : 500))

export default app
