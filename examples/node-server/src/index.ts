import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { createPool } from 'nullpool/stationary'
import { books, type Database } from './books.ts'

// One pool for the whole life of the server, on the direct or session-mode URL (port 5432) in DATABASE_URL.
const pool = createPool({ pooler: 'postgres', poolSize: 5, maxOverflow: 5 })

const app = new Hono<{ Variables: Database }>()

app.use(async (c, next) => {
  c.set('sql', pool.sql)
  c.set('db', pool)
  await next()
})
app.route('/', books)
app.get('/pool', (c) => c.json(pool.stats))

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`http://127.0.0.1:${port}`)
})

// First no more requests, then no more connections; the process ends by itself.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.close(() => void pool.close())
  })
}
