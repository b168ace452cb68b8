import { Hono } from 'hono'
import { nullpool } from 'nullpool/hono'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')
// biome-ignore lint/suspicious/noExplicitAny: handles of every kind are called alike.
type Any = any
describe('a middleware around nullpool()', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
  })
  afterAll(() => bed[Symbol.asyncDispose]())
  const app = (after: (c: Any) => Promise<unknown>) => {
    const a = new Hono<Any>()
    a.onError((e, c) => c.text(String((e as Any).code ?? e), 500))
    a.use(async (c, next) => {
      await next()
      await after(c)
    })
    a.use(nullpool({ url: bed.url(postgres), pooler: 'postgres' } as Any))
    a.get('/value', async (c: Any) => c.json([...(await c.var.sql`select 5 as n`)]))
    a.get('/hold', async (c: Any) => {
      c.var.db.hold(new Promise((r) => setTimeout(r, 100)))
      return c.json([...(await c.var.sql`select 5 as n`)])
    })
    a.get('/none', async (c: Any) => c.json([{ n: 5 }]))
    a.get('/bad', () => {
      throw new Error('mine')
    })
    return a
  }
  it.each(['/value', '/hold'])('may query behind next(): %s', async (path) => {
    const seen: Any[] = []
    const r = await app(async (c) => {
      seen.push([...(await c.var.sql`select 1 as n`)])
    }).request(path)
    expect([r.status, await r.text(), seen]).toEqual([200, '[{"n":5}]', [[{ n: 1 }]]])
  })
  it.each(['/value'])('may hold behind next(): %s', async (path) => {
    const r = await app(async (c) => {
      c.var.db.hold(Promise.resolve())
    }).request(path)
    expect([r.status, await r.text()]).toEqual([200, '[{"n":5}]'])
  })
})
