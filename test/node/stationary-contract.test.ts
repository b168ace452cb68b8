import type { Database, DatabaseOptions } from 'nullpool'
import { createPool, type Pool } from 'nullpool/stationary'
import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { startPgBouncer } from '../../src/cli/pgbouncer-server.ts'
import { databaseContract, type Test } from '../contract.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** What counts connections: an open one would not be counted. */
const COUNTING = /opens nothing|hold\(\) keeps/

/** What holds where each request has a connection of its own, to be counted, lost and closed with it. */
const OF_A_REQUEST =
  /waitUntil is given|metrics count|a hundred requests|a connection that breaks|wrong with the options|body of a Response|body that is left/

let bed: TestDatabase
beforeAll(async () => {
  bed = await createTestDatabase()
})
afterAll(() => bed[Symbol.asyncDispose]())

/** The contract on one pool that all of it shares, so that whatever one case leaves behind another finds. */
function contractOn(create: (more?: DatabaseOptions) => Pool): void {
  let pool: Pool
  /** Pools of those cases that want other options. */
  const others: Pool[] = []
  beforeAll(() => {
    pool = create()
  })
  afterAll(() => Promise.all([pool, ...others].map((each) => each?.close())))
  const open = (more?: DatabaseOptions): Database => {
    if (!more) return pool
    // A pool does not lead through a binding.
    const { hyperdriveCaching: _, ...rest } = more
    const other = create(rest)
    others.push(other)
    return other
  }
  // Cases are registered before there is a server.
  const connect = (more?: DatabaseOptions): Database => ({
    scope: (context) => open(more).scope(context),
    run: (context, work) => open(more).run(context, work),
  })
  const test: Test = (name, run) => {
    if (OF_A_REQUEST.test(name)) return
    it(name, async () => {
      if (COUNTING.test(name)) {
        await pool.close()
        pool = create()
      }
      await run()
    })
  }
  databaseContract(test, { url: () => bed.url(postgres) }, connect)
}

describe('on a pool in Node, on Postgres itself', () => {
  contractOn((more) =>
    createPool({ url: bed.url(postgres), pooler: 'postgres', poolSize: 2, ...more }),
  )
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
  contractOn((more) =>
    createPool({
      url: server.url({ user, password, database: bed.name }),
      prepare: true,
      poolSize: 2,
      ...more,
    }),
  )
})
