import { type NeonQueryFunction, neon, neonConfig } from '@neondatabase/serverless'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { type RunningGateway, startNodeGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer).each([
  ['pgbouncer', { single: 2, three: 4 }],
  ['auto', { single: 4, three: 7 }],
] as const)('round trips of /sql with pooler: %s, TCP not counted', (pooler, trips) => {
  let bed: TestDatabase
  let proxy: CountingProxy
  let gateway: RunningGateway
  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    proxy = await startCountingProxy({ target: pgbouncer })
    const address = `${proxy.host}:${proxy.port}`
    gateway = await startNodeGateway({ targets: [{ address, pooler }] })
    neonConfig.fetchEndpoint = `http://${gateway.host}/sql`
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await proxy?.stop()
    await bed?.[Symbol.asyncDispose]()
  })
  beforeEach(() => proxy?.reset())

  async function counted(
    work: (sql: NeonQueryFunction<false, false>) => Promise<unknown>,
  ): Promise<number> {
    const sql = neon(bed.url(proxy), { authToken: TOKEN })
    await work(sql)
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    expect(proxy.connections).toHaveLength(1)
    // The goodbye waits for nobody.
    return proxy.turns - 1
  }

  it('a statement with values, the first of its connection', async () => {
    expect(await counted((sql) => sql`select ${1}::int`)).toBe(trips.single)
  })

  it('three in a transaction', async () => {
    const three = counted((sql) =>
      sql.transaction([sql`select ${1}::int`, sql`select ${2}::int`, sql`select ${3}::int`]),
    )
    expect(await three).toBe(trips.three)
  })
})
