import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { nullpool } from 'nullpool/hono'
import { books, type Database } from './books.ts'

// The same routes with a connection for each request, through the transaction-mode pooler (port 6543) in
// DATABASE_URL: for Node where it comes and goes, such as Vercel Functions and AWS Lambda.
const app = new Hono<{ Variables: Database }>()

app.use(nullpool())
app.route('/', books)

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`http://127.0.0.1:${port}`)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => server.close())
