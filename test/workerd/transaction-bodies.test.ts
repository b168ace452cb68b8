import { Hono } from 'hono'
import { createDatabase, NullpoolError } from 'nullpool'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { ASKING, COMPLETE, type Make, STREAMED } from '../support/hono-bodies.ts'
import { workerdBed } from '../support/workerd-bed.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('bodies of a request that is a transaction, in workerd', () => {
  const bed = workerdBed()
  const database = () => createDatabase({ url: bed.url })
  beforeAll(async () => {
    await database().run({}, async ({ sql }) => {
      await sql`drop table if exists deeds`
      await sql`create table deeds (name text)`
    })
  })
  afterAll(() => database().run({}, ({ sql }) => sql`drop table deeds`))

  /** What a request gave, and what was kept of it before anybody read its body. */
  const ask = async (make: Make): Promise<{ response: Response; kept: unknown[] }> => {
    await database().run({}, ({ sql }) => sql`truncate deeds`)
    const app = new Hono<{ Variables: NullpoolVariables }>()
    app.onError((error, c) => c.text(NullpoolError.is(error) ? error.code : error.message, 500))
    app.use(nullpool({ url: bed.url, transaction: true }))
    app.get('/', async (c) => {
      await c.var.sql`insert into deeds values ('handler')`
      return make(c)
    })
    const response = await app.request('/')
    const rows = await database().run(
      {},
      async ({ sql }) => sql`select name from deeds order by name`,
    )
    return { response, kept: rows.map(({ name }) => name) }
  }

  it.for(COMPLETE)('commits with %s', async ([, make, said], { expect }) => {
    const { response, kept } = await ask(make)
    expect(response.status).toBeLessThan(500)
    expect(kept).toEqual(['handler'])
    const body = new Uint8Array(await response.arrayBuffer())
    if (said instanceof Uint8Array) expect(body).toEqual(said)
    else expect(new TextDecoder().decode(body)).toMatch(said)
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })

  it.for(ASKING)('makes a body of %s a part of it', async ([, make], { expect }) => {
    const { response, kept } = await ask(make)
    expect(kept).toEqual(['body', 'handler'])
    expect([response.status, await response.text()]).toEqual([200, 'asked'])
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })

  it.for(STREAMED)('refuses %s', async ([, make], { expect }) => {
    const { response, kept } = await ask(make)
    expect([response.status, await response.text()]).toEqual([500, 'ERR_TRANSACTION_STREAM'])
    expect(kept).toEqual([])
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })
})
