import { createDatabase } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type PgBouncerServer, startPgBouncer } from '../../src/cli/pgbouncer-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

describe.skipIf(!pgbouncer)('two clients on one pooled backend', () => {
  let bed: TestDatabase
  let single: PgBouncerServer
  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    single = await startPgBouncer({
      upstream: postgres,
      users: { [postgres.user]: postgres.password },
      poolSize: 1,
    })
  })
  afterAll(async () => {
    await single?.stop()
    await bed?.[Symbol.asyncDispose]()
  })

  it('never see 42P05 or 26000, nor each other’s answers', async () => {
    const database = createDatabase({ url: bed.url(single) })
    const client = async (who: number): Promise<Set<number>> => {
      await using scope = database.scope()
      const pids = new Set<number>()
      for (let round = 0; round < 150; round += 1) {
        const [row] = await scope.sql`
          select ${who}::int as who, ${round}::int as round, pg_backend_pid() as pid`
        expect(row).toMatchObject({ who, round })
        pids.add(row?.pid as number)
        if (round % 10 === 0) {
          const sizes: number[] = []
          const rows = scope.sql`select ${who}::int as who from generate_series(1, ${25}::int)`
          for await (const batch of rows.cursor(10)) sizes.push(batch.length)
          expect(sizes).toEqual([10, 10, 5])
          await scope.sql.begin((tx) => tx`select set_config('app.who', ${String(who)}, true)`)
        }
      }
      return pids
    }
    const [first, second] = await Promise.all([client(1), client(2)])
    // They did share the backend, or the test would show nothing.
    expect(first).toEqual(second)
    expect(first?.size).toBe(1)
  })
})
