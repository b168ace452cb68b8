import { createDatabase, type Scope } from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres, ca } = inject('servers')

/** What a request does, and the turns that it takes in all, the login's three included. */
const SHAPES: readonly [string, (scope: Scope) => Promise<unknown>, number][] = [
  ['nothing', async () => {}, 0],
  ['a plain query', ({ sql }) => sql`select 1`, 4],
  [
    'three plain queries one after another',
    async ({ sql }) => [await sql`select 1`, await sql`select 2`, await sql`select 3`],
    6,
  ],
  [
    'a parameterised query, which postgres.js describes first',
    ({ sql }) => sql`select ${1}::int`,
    5,
  ],
  [
    'two parameterised queries',
    async ({ sql }) => [await sql`select ${1}::int`, await sql`select ${2}::int`],
    7,
  ],
  [
    'five plain queries at once, one flight at a time',
    ({ sql }) => Promise.all([1, 2, 3, 4, 5].map((n) => sql.unsafe(`select ${n}`))),
    8,
  ],
  ['a transaction of one plain query', ({ sql }) => sql.begin((tx) => tx`select 1`), 6],
  ['an empty statement, which is answered here', ({ sql }) => sql.unsafe(''), 0],
]

describe.each([
  ['PgBouncer', pgbouncer],
  ['Postgres', postgres],
] as const)('round trips to %s', (_name, target) => {
  describe.skipIf(!target)('on the counting proxy', () => {
    let bed: TestDatabase
    let proxy: CountingProxy
    beforeAll(async () => {
      bed = await createTestDatabase()
      proxy = await startCountingProxy({ target: target ?? postgres })
    })
    afterEach(() => proxy.reset())
    afterAll(async () => {
      await proxy.stop()
      await bed[Symbol.asyncDispose]()
    })

    it.each(SHAPES)('%s', async (_shape, work, turns) => {
      const scope = createDatabase({ url: bed.url(proxy) }).scope()
      await work(scope)
      expect(proxy.turns).toBe(turns)
      // TCP's own round trip is the one that a proxy does not see.
      expect(scope.metrics.roundTrips).toBe(turns === 0 ? 0 : turns + 1)
      expect(scope.metrics.connects).toBe(turns === 0 ? 0 : 1)
      await scope.close()
    })

    it('TLS adds two: the request for it, and its handshake', async () => {
      const scope = createDatabase({ url: bed.url(proxy), tls: { ca } }).scope()
      await scope.sql`select 1`
      expect(scope.metrics.roundTrips).toBe(7)
      await scope.close()
    })
  })
})
