import { type Context, Hono } from 'hono'
import { NullpoolError } from 'nullpool'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')

interface Env {
  Variables: NullpoolVariables
}

describe('a middleware around nullpool()', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
  })
  afterAll(() => bed[Symbol.asyncDispose]())

  async function ask(path: string, after: (c: Context<Env>) => unknown): Promise<unknown[]> {
    const app = new Hono<Env>()
    app.onError((error, c) => c.text(NullpoolError.is(error) ? error.code : String(error), 500))
    app.use(async (c, next) => {
      await next()
      await after(c)
    })
    app.use(nullpool({ url: bed.url(postgres), pooler: 'postgres' }))
    app.get('/value', async (c) => c.json(await c.var.sql`select 5 as n`))
    app.get('/hold', async (c) => {
      const answered = Promise.withResolvers<void>()
      c.var.db.hold(answered.promise)
      queueMicrotask(answered.resolve)
      return c.json(await c.var.sql`select 5 as n`)
    })
    const response = await app.request(path)
    return [response.status, await response.text()]
  }

  it.each(['/value', '/hold'])('may query behind next(): %s', async (path) => {
    const seen: unknown[] = []
    const answer = await ask(path, async (c) => seen.push(...(await c.var.sql`select 1 as n`)))
    expect([answer, seen]).toEqual([[200, '[{"n":5}]'], [{ n: 1 }]])
  })

  it('may hold behind next()', async () => {
    const answer = await ask('/value', (c) => c.var.db.hold(Promise.resolve()))
    expect(answer).toEqual([200, '[{"n":5}]'])
  })
})
