import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { Kysely, sql as kyselySql, PostgresDialect } from 'kysely'
import { createDatabase, type Scope, type TransactionOptions, type TransactionSql } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { kyselyPool } from 'nullpool/kysely'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { silenceBehindCommit } from '../support/silent-commit.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')

type Work = (sql: TransactionSql) => Promise<unknown>

const WRITES = 'insert into once values (1), (1)'

/** Statements that let a transaction write which was begun to read. */
const LETS_WRITE = [
  'set transaction read write',
  'set local transaction_read_only = off',
  'set local "transaction_read_only" to false',
  'SET /* so */ LOCAL U&"tr\\0061nsaction_read_only" = off',
  'show work_mem; set transaction read write',
]

/** What ends in a way that somebody has to know of. */
const TO_BE_AWAITED: Record<string, Work> = {
  'is made serializable': async (sql) => {
    await sql`set transaction isolation level serializable`
    return sql`select 1`
  },
  'is made serializable behind another statement': async (sql) => {
    await sql`show work_mem; set transaction isolation level serializable`.simple()
    return sql`select 1`
  },
  'runs what nobody sees': (sql) => sql.unsafe('do $$begin end$$'),
  'tells somebody something': (sql) => sql`select pg_notify('somebody', 'something')`,
  'has a statement under way': async (sql) => void sql`select 1`.execute(),
}

const kyselyOf = (scope: Scope): Kysely<object> =>
  new Kysely({ dialect: new PostgresDialect({ pool: kyselyPool(scope) }) })

describe('a transaction that only reads', () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  beforeAll(async () => {
    bed = await createTestDatabase()
    proxy = await startCountingProxy({ target: postgres })
    await bed.sql`create table once (n int unique deferrable initially deferred)`
  })
  afterEach(async () => {
    proxy.resume()
    await bed.sql.unsafe(`alter database ${bed.name} reset default_transaction_isolation`)
  })
  afterAll(async () => {
    await proxy.stop()
    await bed[Symbol.asyncDispose]()
  })
  const open = (): Scope => createDatabase({ url: bed.url(proxy), pooler: 'postgres' }).scope()

  it.each(LETS_WRITE)('tells that its COMMIT was refused behind %j', async (text) => {
    await using scope = open()
    const whole = scope.transaction({ readOnly: true }, async (sql) => {
      await sql.unsafe(text)
      await sql.unsafe(WRITES)
    })
    await expect(whole).rejects.toMatchObject({ code: '23505' })
  })

  it('tells Kysely and Drizzle so too', async () => {
    await using scope = open()
    const letWrite = 'set local transaction_read_only = off'
    const kysely = kyselyOf(scope)
      .transaction()
      .setAccessMode('read only')
      .execute(async (tx) => {
        for (const text of [letWrite, WRITES]) await kyselySql.raw(text).execute(tx)
      })
    await expect(kysely).rejects.toMatchObject({ code: '23505' })
    const ofDrizzle = drizzle(drizzleClient(scope)).transaction(
      async (tx) => {
        for (const text of [letWrite, WRITES]) await tx.execute(drizzleSql.raw(text))
      },
      { accessMode: 'read only' },
    )
    await expect(ofDrizzle).rejects.toMatchObject({ code: '23505' })
  })

  /** Whether something ends only behind the answer to COMMIT. */
  async function isAwaited(run: (scope: Scope) => Promise<unknown>): Promise<boolean> {
    await using scope = open()
    const silence = silenceBehindCommit(proxy)
    let ended = false
    const running = run(scope).finally(() => {
      ended = true
    })
    await silence.sent
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
    const awaited = !ended
    silence.end()
    await running
    return awaited
  }

  const reading =
    (work: Work, options: TransactionOptions = {}) =>
    (scope: Scope): Promise<unknown> =>
      scope.transaction({ readOnly: true, ...options }, work)

  it.each(Object.entries(TO_BE_AWAITED))('is awaited where it %s', async (_, work) => {
    expect(await isAwaited(reading(work))).toBe(true)
    expect(await isAwaited(reading(work, { isolation: 'repeatable read' }))).toBe(true)
  })

  it.each<[TransactionOptions['isolation'], TransactionOptions['isolation'], boolean]>([
    ['serializable', undefined, true],
    ['serializable', 'repeatable read', false],
    ['repeatable read', undefined, false],
  ])('by default %s and asked for %s is awaited: %s', async (level, isolation, awaited) => {
    await bed.sql.unsafe(
      `alter database ${bed.name} set default_transaction_isolation = '${level}'`,
    )
    const seen: unknown[] = []
    const work: Work = async (sql) => {
      const [row] = await sql`show transaction_isolation`
      seen.push(row?.transaction_isolation)
    }
    expect(await isAwaited(reading(work, isolation ? { isolation } : {}))).toBe(awaited)
    expect(seen).toEqual([isolation ?? level])
  })

  it('of Kysely is awaited where the database makes it serializable, and only there', async () => {
    const run = (scope: Scope): Promise<unknown> =>
      kyselyOf(scope)
        .transaction()
        .setAccessMode('read only')
        .execute((tx) => kyselySql`select 1`.execute(tx))
    expect(await isAwaited(run)).toBe(false)
    await bed.sql.unsafe(
      `alter database ${bed.name} set default_transaction_isolation = 'serializable'`,
    )
    expect(await isAwaited(run)).toBe(true)
  })

  it('takes no trip more where the isolation is left to a default', async () => {
    const trips: number[] = []
    for (const isolation of [undefined, 'read committed'] as const) {
      await using scope = open()
      await reading((sql) => sql`select 1`, isolation ? { isolation } : {})(scope)
      trips.push(scope.metrics.roundTrips)
    }
    expect(trips[0]).toBe(trips[1])
  })

  it('may be given its isolation by its first statement', async () => {
    await using scope = open()
    const level = await scope.transaction({ readOnly: true }, async (sql) => {
      await sql.unsafe('show work_mem')
      await sql`set transaction isolation level repeatable read`
      return sql`show transaction_isolation`
    })
    expect(level).toEqual([{ transaction_isolation: 'repeatable read' }])
  })

  it('may begin with several statements at once, and is not awaited then either', async () => {
    const seen: unknown[] = []
    const work: Work = async (sql) => {
      seen.push(...(await sql`select 1 as one; select 2 as two`.simple()))
    }
    expect(await isAwaited(reading(work))).toBe(false)
    expect(seen).toEqual([[{ one: 1 }], [{ two: 2 }]])
  })
})
