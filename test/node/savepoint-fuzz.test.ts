import { drizzle } from 'drizzle-orm/postgres-js'
import { Hono } from 'hono'
import { Kysely, PostgresDialect } from 'kysely'
import { createDatabase, type Pooler, type Scope, type TransactionSql } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { kyselyPool } from 'nullpool/kysely'
import { neonClient } from 'nullpool/neon'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import {
  type Act,
  type Place,
  SAVEPOINTS,
  STATEMENTS,
  type Tables,
} from '../support/savepoint-acts.ts'
import { onPurpose, type Part, SavepointHistory } from '../support/savepoint-history.ts'
import { Seeded } from '../support/seeded.ts'
import { claimsOf, makeSupabaseSchema } from '../support/supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** SAVEPOINT_SEEDS=1000 looks at more, SAVEPOINT_SEED=17 at one. */
const { SAVEPOINT_SEED, SAVEPOINT_SEEDS = '60' } = process.env
const FIRST = Number(SAVEPOINT_SEED ?? 1)
const SEEDS = SAVEPOINT_SEED ? 1 : Number(SAVEPOINT_SEEDS)

const PLACES: readonly [Pooler, { host: string; port: number } | undefined][] = [
  ['pgbouncer', pgbouncer],
  ['supavisor', postgres],
  ['postgres', postgres],
]

/** What waits for itself shows before the test gives up. */
const queryTimeoutMs = 10_000

type Whole = (scope: Scope, sql: TransactionSql, neon: Place['neon']) => Promise<unknown>

/** The ways to begin a transaction; each ends as what it is given does. */
const ROOTS: readonly ((url: string, pooler: Pooler, whole: Whole) => Promise<unknown>)[] = [
  async (url, pooler, whole) => {
    await using scope = createDatabase({ url, pooler, queryTimeoutMs }).scope()
    await scope.transaction((sql) => whole(scope, sql, undefined))
  },
  async (url, pooler, whole) => {
    await using connection = createDatabase({ url, pooler, queryTimeoutMs }).scope()
    const scope = connection.as(claimsOf(1))
    await scope.transaction((sql) => whole(scope, sql, undefined))
  },
  (url, pooler, whole) =>
    request(nullpool({ url, pooler, queryTimeoutMs, transaction: true }), whole),
  (url, pooler, whole) =>
    request(
      nullpool({ url, pooler, queryTimeoutMs, transaction: true, claims: () => claimsOf(1) }),
      whole,
    ),
]

/** A request that is a transaction as a whole. */
async function request(middleware: ReturnType<typeof nullpool>, whole: Whole): Promise<void> {
  let thrown: unknown
  const app = new Hono<{ Variables: NullpoolVariables }>().use(middleware).get('/', async (c) => {
    const { db, sql } = c.var
    await whole(db, sql as unknown as TransactionSql, () => neonClient(db))
    return c.text('done')
  })
  app.onError((error, c) => {
    thrown = error
    return c.text('failed', 500)
  })
  const { status } = await app.request('/')
  if (status !== 200) throw thrown
}

/** Does this and that in a part of a transaction, and ends it in one way or another. */
async function act(place: Place): Promise<void> {
  const { handles, part, seeded } = place
  const isCalm = seeded.chance(0.3)
  const running: Promise<unknown>[] = []
  for (let n = 1 + seeded.below(4); n > 0; n -= 1) {
    await seeded.breathe()
    const handle = seeded.chance(0.6) ? handles[0] : seeded.pick(handles)
    const doing = choose(place)({ ...place, seeded: seeded.fork() }, handle)
    doing.catch(() => undefined)
    running.push(doing)
    if (isCalm || seeded.chance(0.4)) await doing
  }
  // What goes on behind the end of the whole transaction is refused, or not, as it comes.
  if (!part.outer) await Promise.allSettled(running)
  const how = seeded.next()
  if (how < 0.6) await Promise.all(running)
  else if (how < 0.75) await Promise.race(running)
  if (seeded.chance(0.3)) throw onPurpose()
}

function choose({ depth, seeded }: Place): Act {
  if (depth === 0 || seeded.chance(0.5)) return seeded.pick(STATEMENTS)
  return seeded.chance(0.5) ? seeded.pick(SAVEPOINTS) : nested
}

const nested: Act = (place, handle) => {
  const { depth, handles, history, part, scope, seeded } = place
  const isOwn = seeded.chance(0.6)
  return history.part(isOwn ? 'savepoint' : 'transaction', part, (inner) => {
    const work = (sql: TransactionSql): Promise<void> =>
      act({ ...place, part: inner, handles: [sql, ...handles], depth: depth - 1 })
    return isOwn ? handle.savepoint(work) : scope.transaction(work)
  })
}

async function run(seed: number, url: string, pooler: Pooler): Promise<SavepointHistory> {
  const seeded = new Seeded(seed)
  const history = new SavepointHistory()
  const begin = ROOTS[seed % ROOTS.length]
  await history.part('whole', undefined, (part: Part) =>
    begin?.(url, pooler, (scope, sql, neon) => {
      const clients = {
        drizzle: drizzle(drizzleClient(scope)),
        kysely: new Kysely<Tables>({ dialect: new PostgresDialect({ pool: kyselyPool(scope) }) }),
      }
      const place = { ...clients, history, scope, neon, part, seeded }
      return act({ ...place, handles: [sql], depth: 3 })
    }),
  )
  await history.settled()
  return history
}

describe.each(PLACES)('savepoints of every kind at once, as with %s', (pooler, target) => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await makeSupabaseSchema(bed.sql)
    await bed.sql`create table deeds (name text unique)`
    await bed.sql`grant all on deeds to authenticated`
  })
  afterAll(() => bed[Symbol.asyncDispose]())

  it.skipIf(!target)(
    'tell each caller what has become of it',
    async () => {
      for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
        const history = await run(seed, bed.url(target ?? postgres), pooler)
        const rows = await bed.sql`delete from deeds returning name`
        const wrong = history.judge(new Set(rows.map(({ name }) => name)))
        expect(wrong, `SAVEPOINT_SEED=${seed}\n${history}`).toEqual([])
      }
    },
    20_000 + SEEDS * 1_000,
  )
})
