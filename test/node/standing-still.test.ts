import { createDatabase, type Pooler } from 'nullpool'
import { createPool } from 'nullpool/stationary'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** Nothing of this process runs meanwhile, as while a password is hashed or a function is frozen. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

const TURNS = 20

/** Lets the statement leave, for which no answer is needed. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const PLACES: readonly [Pooler, { host: string; port: number } | undefined][] = [
  ['pgbouncer', pgbouncer],
  ['postgres', postgres],
]

describe.each(PLACES)(
  'a process that stands still for longer than a limit, with %s',
  (pooler, at) => {
    let bed: TestDatabase
    beforeAll(async () => {
      bed = await createTestDatabase()
    })
    afterAll(() => bed[Symbol.asyncDispose]())
    const options = () => ({ url: bed.url(at ?? postgres), pooler, queryTimeoutMs: 200 })

    it.skipIf(!at)('has the answer that came in time', async () => {
      await using scope = createDatabase(options()).scope()
      await scope.sql`select 1`
      const asked = scope.sql`select 'answered' as word`.execute()
      await turns()
      standStill(600)
      expect(await asked).toEqual([{ word: 'answered' }])
    })

    it.skipIf(!at)('has the answer that came in time, on a pool', async () => {
      await using pool = createPool({ ...options(), poolSize: 1 })
      await pool.sql`select 1`
      const asked = pool.sql`select 'answered' as word`.execute()
      await turns()
      standStill(600)
      expect(await asked).toEqual([{ word: 'answered' }])
    })
  },
)
