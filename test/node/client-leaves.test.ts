import { once } from 'node:events'
import { type ServerType, serve } from '@hono/node-server'
import { Hono } from 'hono'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type RunningGateway, startNodeGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

describe('on Node, a client that disconnects takes with it', () => {
  let bed: TestDatabase
  let gateway: RunningGateway
  let server: ServerType
  beforeAll(async () => {
    bed = await createTestDatabase()
    gateway = await startNodeGateway({ targets: [`${postgres.host}:${postgres.port}`] })
    const app = new Hono<{ Variables: NullpoolVariables }>()
    app.onError((error, c) => c.text(error.name, 500))
    app.use(nullpool({ url: bed.url(pgbouncer ?? postgres) }))
    app.get('/', async (c) => c.json(await c.var.sql`select pg_sleep(25)`))
    server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 })
    if (!server.listening) await once(server, 'listening')
  })
  afterAll(async () => {
    server?.close()
    await gateway?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })
  const running = async (): Promise<number> => {
    const rows = await bed.sql`
      select 1 from pg_stat_activity
      where query like 'select pg_sleep(25)%' and state = 'active' and datname = ${bed.name}`
    return rows.length
  }

  async function isStopped(url: string, init: RequestInit = {}): Promise<void> {
    const leaving = new AbortController()
    const asked = fetch(url, { ...init, signal: leaving.signal }).catch(() => undefined)
    await expect.poll(running).toBe(1)
    leaving.abort()
    await asked
    await expect.poll(running, { timeout: 10_000 }).toBe(0)
  }

  it('the query of its request', async () => {
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    await isStopped(`http://127.0.0.1:${port}/`)
  })

  it('its statement at the gateway', async () => {
    await isStopped(`http://${gateway.host}/sql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'neon-connection-string': bed.url(postgres) },
      body: JSON.stringify({ query: 'select pg_sleep(25)', params: [] }),
    })
  })
})
