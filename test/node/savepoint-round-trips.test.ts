import { drizzle } from 'drizzle-orm/postgres-js'
import { Kysely, PostgresDialect, sql as raw } from 'kysely'
import { createDatabase, type Pooler, type Scope } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { kyselyPool } from 'nullpool/kysely'
import { describe, expect, inject, it } from 'vitest'
import { claimsOf } from '../support/supabase-schema.ts'
import { useCountedDatabase } from '../support/use-counted-database.ts'

const { pgbouncer, postgres } = inject('servers')

type Work = (scope: Scope) => Promise<unknown>

const thrown = async (): Promise<never> => {
  throw new Error('On purpose.')
}

/** What is done within a transaction, and the trips of all of it, COMMIT with them. */
const SHAPES: readonly [string, Work, number][] = [
  ['one of a query', (s) => s.transaction((tx) => tx`select ${1}::int as learned`), 1],
  [
    'three of a query each',
    async (s) => {
      for (let n = 0; n < 3; n++) await s.transaction((tx) => tx`select ${n}::int as learned`)
    },
    3,
  ],
  [
    'three in each other',
    (s) =>
      s.transaction((one) =>
        one.savepoint((two) => two.savepoint((three) => three`select ${1}::int as learned`)),
      ),
    1,
  ],
  ['one with a plain query', (s) => s.transaction((tx) => tx.unsafe('select 1')), 1],
  // An access mode of the savepoint must not hold for them, and they have no room for its RELEASE.
  [
    'one, and several statements at once behind it',
    (s) =>
      s.transaction(async (tx) => {
        await tx.savepoint((inner) => inner`select ${1}::int as learned`)
        await tx.unsafe('select 1; select 2')
      }),
    3,
  ],
  ['one in which nothing happens', (s) => s.transaction(async () => 'nothing'), 0],
  [
    'one that is rolled back, and one behind it',
    async (s) => {
      const failing = s.transaction(async (tx) => {
        await tx`select ${1}::int as learned`
        await thrown()
      })
      await failing.catch(() => undefined)
      await s.transaction((tx) => tx`select ${1}::int as learned`)
    },
    3,
  ],
  [
    "one of Drizzle's",
    (s) => drizzle(drizzleClient(s)).transaction((tx) => tx.execute('select 1')),
    1,
  ],
  [
    "one of Kysely's",
    (s) => {
      const db = new Kysely({ dialect: new PostgresDialect({ pool: kyselyPool(s) }) })
      return db.transaction().execute((tx) => raw`select 1`.execute(tx))
    },
    1,
  ],
]

/** For whom it is done. */
const WHO: readonly [string, (scope: Scope) => Scope][] = [
  ['the connection itself', (scope) => scope],
  ['somebody with claims', (scope) => scope.as(claimsOf(1))],
]

const PLACES: readonly [Pooler, { host: string; port: number } | undefined][] = [
  ['pgbouncer', pgbouncer],
  ['supavisor', postgres],
  ['postgres', postgres],
]

describe.each(PLACES)('savepoints, in trips, as with %s', (pooler, target) => {
  describe.skipIf(!target).each(WHO)('for %s', (_who, to) => {
    const counted = useCountedDatabase(target ?? postgres)

    it.each(SHAPES)('%s', async (_shape, work, trips) => {
      await using connection = createDatabase({
        url: counted.bed.url(counted.proxy),
        pooler,
      }).scope()
      const scope = to(connection)
      await scope.sql`select ${0}::int as learned`
      await scope.transaction(() => work(scope))
      const { turns } = counted.proxy
      await scope.transaction(async (sql) => {
        await sql`select ${0}::int as learned`
        await work(scope)
      })
      // The first statement and COMMIT have a trip each.
      expect(counted.proxy.turns - turns).toBe(trips + 2)
      await scope.transaction(() => work(scope))
    })
  })
})
