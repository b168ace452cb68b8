import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** What each of several statements under way would write, if it came to its turn. */
const SLOW = [1, 2, 3, 4, 5]
/** Takes longer than a machine stands still. */
const slow = (n: number): string => `insert into marks select ${n} from pg_sleep(25)`
/** Takes as long as the test holds the lock. */
const HELD = 4711
const held = (n: number): string =>
  `insert into marks select ${n} from (select pg_advisory_xact_lock(${HELD})) as lock`
const mark = (n: number): string => `insert into marks values (${n})`

describe.each([
  ['universal, on PgBouncer', pgbouncer, 'supavisor'],
  ['pipelined, on PgBouncer', pgbouncer, 'pgbouncer'],
  ['pipelined, on Postgres', postgres, 'postgres'],
] as const)('cancelling, %s', (_name, target, pooler) => {
  describe.skipIf(!target)('several statements under way', () => {
    let bed: TestDatabase
    let proxy: CountingProxy
    /** PgBouncer 1.18 ends where the sender of a cancel request leaves before it has been heard. */
    const background: Promise<unknown>[] = []
    beforeAll(async () => {
      bed = await createTestDatabase()
      await bed.sql`create table marks (n int)`
      proxy = await startCountingProxy({ target: target ?? postgres })
    })
    afterEach(async () => {
      await Promise.all(background.splice(0))
      await bed.sql`truncate marks`
    })
    afterAll(async () => {
      await proxy.stop()
      await bed[Symbol.asyncDispose]()
    })
    const open = (signal?: AbortSignal, options: DatabaseOptions = {}): Scope =>
      createDatabase({ url: bed.url(proxy), pooler, closeTimeoutMs: 20_000, ...options }).scope({
        waitUntil: (promise) => background.push(promise),
        ...(signal ? { signal } : {}),
      })
    /** Rows that are there once nobody writes any more. */
    const marks = async (): Promise<number[]> => {
      for (;;) {
        const busy = await bed.sql`
          select 1 from pg_stat_activity
          where datname = ${bed.name} and state = 'active' and pid <> pg_backend_pid()`
        if (busy.length === 0) break
      }
      return (await bed.sql<{ n: number }[]>`select n from marks order by 1`).map(({ n }) => n)
    }
    const running = async (): Promise<void> => {
      for (;;) {
        const rows = await bed.sql`
          select 1 from pg_stat_activity
          where datname = ${bed.name} and state = 'active' and query ~ 'pg_sleep|slowly|advisory' and pid <> pg_backend_pid()`
        if (rows.length > 0) return
      }
    }

    it('all of them are stopped when the client goes', async () => {
      const controller = new AbortController()
      const scope = open(controller.signal)
      await scope.sql`select 1`
      const failing = Promise.allSettled(SLOW.map((n) => scope.sql.unsafe(slow(n))))
      await running()
      controller.abort()
      const results = await failing
      expect(results.map((result) => 'reason' in result && result.reason.code)).toEqual(
        SLOW.map(() => 'ERR_ABORTED'),
      )
      await scope.close()
      expect(await marks()).toEqual([])
    })

    it('all of them are stopped when the first takes too long', async () => {
      const scope = open(undefined, { queryTimeoutMs: 2_000 })
      await scope.sql`select 1`
      const results = await Promise.allSettled(SLOW.map((n) => scope.sql.unsafe(slow(n))))
      expect(results.map((result) => 'reason' in result && result.reason.code)).toEqual(
        SLOW.map(() => 'ERR_QUERY_TIMEOUT'),
      )
      await scope.close()
      expect(await marks()).toEqual([])
    })

    it('abortable() stops one, and its neighbours run', async () => {
      await using scope = open()
      await scope.sql`select 1`
      const controller = new AbortController()
      const stopped = scope.abortable(scope.sql.unsafe(slow(1)), controller.signal)
      const neighbours = [2, 3].map((n) => scope.sql.unsafe(mark(n)).execute())
      const failed = expect(stopped).rejects.toMatchObject({ code: 'ERR_ABORTED' })
      await running()
      controller.abort()
      await failed
      await Promise.all(neighbours)
      expect(await marks()).toEqual([2, 3])
    })

    it('abortable() takes back what has not left yet, and keeps the connection', async () => {
      await using scope = open()
      await scope.sql`select 1`
      const controller = new AbortController()
      const lock = await bed.sql.reserve()
      await lock`select pg_advisory_lock(${HELD})`
      const before = scope.sql.unsafe(held(1)).execute()
      const waiting = scope.abortable(scope.sql`insert into marks values (${2})`, controller.signal)
      const behind = scope.sql.unsafe(mark(3)).execute()
      const failed = expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' })
      await running()
      controller.abort()
      await failed
      await lock`select pg_advisory_unlock(${HELD})`
      lock.release()
      await Promise.all([before, behind])
      expect(await marks()).toEqual([1, 3])
      expect(scope.metrics.connects).toBe(1)
    })

    it('abortable() uses its client again, and spends no trip more than others', async () => {
      await using scope = open()
      const { signal } = new AbortController()
      for (const n of [1, 2, 3]) {
        const [row] = await scope.abortable(scope.sql`select ${n}::int as n`, signal)
        expect(row?.n).toBe(n)
      }
      const before = scope.metrics.roundTrips
      await scope.abortable(scope.sql`select ${4}::int as n`, signal)
      expect(scope.metrics.roundTrips).toBe(before + 1)
    })

    it.each([
      ['a procedure that commits', 'call slowly()', 'is not known'],
      [
        'several statements',
        'begin; insert into marks values (8); commit; select pg_sleep(25)',
        'is not known',
      ],
      ['a statement', 'insert into marks select 9 from pg_sleep(25)', 'took no effect'],
    ])('abortable() says what became of %s', async (_what, text, words) => {
      await bed.sql.unsafe(`create or replace procedure slowly() language plpgsql as $$
        begin insert into marks values (7); commit; perform pg_sleep(25); end $$`)
      await using scope = open()
      const controller = new AbortController()
      const stopped = scope.abortable(scope.sql.unsafe(text), controller.signal)
      const failed = expect(stopped).rejects.toMatchObject({
        code: 'ERR_ABORTED',
        message: expect.stringContaining(words),
      })
      await running()
      controller.abort()
      await failed
    })
  })
})
