import assert from 'node:assert/strict'
import type { Place, Test } from './contract.ts'

/** What every runtime must show of statements that are stopped. */
export function aborts(test: Test, { run }: Place): void {
  const cancelled = { code: 'ERR_ABORTED', message: /took no effect/ }

  test('abortable() is the query where its signal does not abort', () =>
    run(async (scope) => {
      const { signal } = new AbortController()
      const [row] = await scope.abortable(scope.sql`select ${1}::int as one`, signal)
      assert.equal(row?.one, 1)
      await assert.rejects(scope.abortable(scope.sql`select 1 / 0`, signal), { code: '22012' })
    }))

  test('abortable() sends nothing for a signal that has aborted', () =>
    run(async (scope) => {
      const query = scope.sql`select 1`
      await assert.rejects(scope.abortable(query, AbortSignal.abort()), cancelled)
      assert.equal(scope.metrics.connects, 0)
    }))

  test('abortable() stops that query at the server, and no other', () =>
    run(async (scope) => {
      const { sql } = scope
      const startedAt = Date.now()
      const slow = sql`select pg_sleep(${20})`
      const results = await Promise.allSettled([
        sql`select 1 as n`,
        scope.abortable(slow, AbortSignal.timeout(300)),
        sql`select ${2}::int as n`,
      ])
      assert.ok(Date.now() - startedAt < 18_000)
      const [one, stopped, two] = results
      assert.ok(one?.status === 'fulfilled' && two?.status === 'fulfilled')
      assert.equal(two.value[0]?.n, 2)
      assert.ok(stopped?.status === 'rejected')
      assert.equal(stopped.reason.code, 'ERR_ABORTED')
      assert.match(stopped.reason.message, /took no effect/)
      assert.equal((await sql`select 3 as n`)[0]?.n, 3)
    }))

  test('abortable() in a transaction fails the transaction', () =>
    run(async (scope) => {
      const working = scope.sql.begin(async (tx) => {
        await tx`select 1`
        await scope.abortable(tx`select pg_sleep(20)`, AbortSignal.timeout(300))
      })
      await assert.rejects(working, cancelled)
      assert.equal((await scope.sql`select 1 as n`)[0]?.n, 1)
    }))

  test('sql cancels a running query on request', () =>
    run(async ({ sql }) => {
      const marker = crypto.randomUUID()
      const sleeping = sql.unsafe(`select pg_sleep(20) -- ${marker}`).execute()
      await run(async (watcher) => {
        for (let active = 0; active === 0; ) {
          const rows = await watcher.sql`
            select from pg_stat_activity
            where state = 'active' and pid <> pg_backend_pid() and query like ${`%${marker}`}`
          active = rows.length
        }
      })
      sleeping.cancel()
      await assert.rejects(async () => sleeping, { code: '57014' })
      assert.equal((await sql`select 1 as n`)[0]?.n, 1)
    }))
}
