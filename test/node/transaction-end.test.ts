import { Hono } from 'hono'
import { createDatabase, type Scope, type TransactionOptions } from 'nullpool'
import { nullpool } from 'nullpool/hono'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { silenceBehindCommit } from '../support/silent-commit.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

const SAFE: readonly TransactionOptions[] = [
  { readOnly: true },
  { readOnly: true, isolation: 'repeatable read' },
  { readOnly: true, isolation: 'serializable', deferrable: true },
]

describe.skipIf(!pgbouncer)('the end of a transaction', () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  beforeAll(async () => {
    bed = await createTestDatabase()
    if (pgbouncer) proxy = await startCountingProxy({ target: pgbouncer })
  })
  afterEach(async () => {
    proxy.resume()
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    proxy.reset()
  })
  afterAll(async () => {
    await proxy.stop()
    await bed[Symbol.asyncDispose]()
  })
  const open = (): Scope => createDatabase({ url: bed.url(proxy), pooler: 'pgbouncer' }).scope()

  it.each(SAFE)('delays nobody who only reads: %j', async (options) => {
    await using scope = open()
    const silence = silenceBehindCommit(proxy)
    expect(await scope.transaction(options, (sql) => sql`select 1 as n`)).toEqual([{ n: 1 }])
    await silence.sent
    silence.end()
  })

  it.each(SAFE)('delays no response of a request that only reads: %j', async (transaction) => {
    const app = new Hono()
    const routes = app
      .use(nullpool({ url: bed.url(proxy), pooler: 'pgbouncer', transaction }))
      .get('/', async (c) => c.json(await c.var.sql`select 1 as n`))
    const silence = silenceBehindCommit(proxy)
    expect(await (await routes.request('/')).json()).toEqual([{ n: 1 }])
    await silence.sent
    silence.end()
  })

  it.each<TransactionOptions>([{}, { readOnly: true, isolation: 'serializable' }])(
    'is waited for where it can fail: %j',
    async (options) => {
      await using scope = open()
      const silence = silenceBehindCommit(proxy)
      let ended = false
      const running = scope
        .transaction(options, (sql) => sql`select 1 as n`)
        .finally(() => {
          ended = true
        })
      await silence.sent
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
      expect(ended).toBe(false)
      silence.end()
      expect(await running).toEqual([{ n: 1 }])
    },
  )
})
