import { serve } from '@hono/node-server'
import app from './handler.ts'

const port = Number(process.env.PORT ?? 8787)

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port }, (address) => {
  console.log(`Listening on http://127.0.0.1:${address.port}`)
})

process.once('SIGTERM', () => server.close())
