import { createPool, type Pool } from 'nullpool/stationary'
import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { startPgBouncer } from '../../src/cli/pgbouncer-server.ts'
import { databaseContract, type Test } from '../contract.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** What counts connections: an open one would not be counted. */
const COUNTING = /opens nothing|hold\(\) keeps/

let bed: TestDatabase
beforeAll(async () => {
  bed = await createTestDatabase()
})
afterAll(() => bed[Symbol.asyncDispose]())

/** The contract on one pool that all of it shares, so that whatever one case leaves behind another finds. */
function contractOn(create: () => Pool): void {
  let pool: Pool
  beforeAll(() => {
    pool = create()
  })
  afterAll(() => pool?.close())
  const test: Test = (name, run) =>
    it(name, async () => {
      if (COUNTING.test(name)) {
        await pool.close()
        pool = create()
      }
      await run()
    })
  databaseContract(test, { database: () => pool })
}

describe('on a pool in Node, on Postgres itself', () => {
  contractOn(() => createPool({ url: bed.url(postgres), pooler: 'postgres', poolSize: 2 }))
})

describe.skipIf(!pgbouncer)('on a pool in Node, through PgBouncer in session mode', () => {
  const { user, password } = postgres
  let server: Awaited<ReturnType<typeof startPgBouncer>>
  beforeAll(async () => {
    server = await startPgBouncer({
      upstream: postgres,
      users: { [user]: password },
      poolMode: 'session',
    })
  })
  afterAll(() => server?.stop())
  contractOn(() =>
    createPool({
      url: server.url({ user, password, database: bed.name }),
      prepare: true,
      poolSize: 2,
    }),
  )
})
