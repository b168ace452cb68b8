import assert from 'node:assert/strict'
import { createDatabase, NullpoolError } from 'nullpool'
import type { Place, Test } from './contract.ts'

/** What every runtime must show of failures. */
export function errors(test: Test, { run, connect, options }: Place): void {
  test('sql rejects with the SQLSTATE and goes on', () =>
    run(async ({ sql }) => {
      await assert.rejects(async () => sql`select ${'x'}::int`, {
        name: 'PostgresError',
        code: '22P02',
      })
      await assert.rejects(async () => sql`select 1/0`, { name: 'PostgresError', code: '22012' })
      await assert.rejects(async () => sql`selct 1`, { name: 'PostgresError', code: '42601' })
      assert.equal((await sql`select 1 as n`)[0]?.n, 1)
    }))

  test('an error of the server can be added to, as Kysely does to every one', () =>
    run(async ({ sql }) => {
      const failing = [sql`selec`, sql`select 1 / ${0}::int`, sql.unsafe('selec')]
      for (const error of await Promise.all(
        failing.map((each) => each.catch((thrown) => thrown)),
      )) {
        error.stack += '\n    at home'
        assert.match(error.stack, /PostgresError[\s\S]+at home$/)
        assert.match(error.code, /^(42601|22012)$/)
      }
    }))

  test('sql.listen and sql.subscribe are refused with the way out', () =>
    run(async ({ sql }) => {
      await assert.rejects(() => sql.listen('news', () => {}), { code: 'ERR_SESSION_STATE' })
      await assert.rejects(() => sql.subscribe('*', () => {}), { code: 'ERR_SESSION_STATE' })
    }))

  test('a statement that needs a session is refused where the guard says so, and nothing is sent', () =>
    connect({ guard: 'throw' }).run({}, async (scope) => {
      const refused = { name: 'NullpoolError', code: 'ERR_SESSION_STATE', retryable: false }
      await assert.rejects(async () => scope.sql`set work_mem to '8MB'`, refused)
      await assert.rejects(async () => scope.sql`select pg_advisory_lock(${1})`, refused)
      assert.equal(scope.metrics.queries, 0)
      assert.equal((await scope.sql`select 1 as n`)[0]?.n, 1)
    }))

  test('a server that stays silent is given up after queryTimeoutMs, and the next request is well', async () => {
    const impatient = connect({ queryTimeoutMs: 2_000 })
    const sleeping = impatient.run({}, ({ sql }) => sql`select pg_sleep(${20})`)
    await assert.rejects(sleeping, { code: 'ERR_QUERY_TIMEOUT', retryable: false })
    const [row] = await impatient.run({}, ({ sql }) => sql`select 1 as n`)
    assert.equal(row?.n, 1)
  })

  test('a connection that breaks is one error for everything under way, and nothing reconnects', () =>
    run(async (scope) => {
      const lost = /^ERR_(SERVER_UNAVAILABLE|CONNECTION_LOST)$/
      const outcomes = await Promise.allSettled([
        scope.sql`select pg_terminate_backend(pg_backend_pid()), pg_sleep(${20})`,
        scope.sql`select 1`,
      ])
      for (const outcome of outcomes) {
        assert.ok(outcome.status === 'rejected' && NullpoolError.is(outcome.reason))
        assert.match(outcome.reason.code, lost)
      }
      assert.ok(outcomes[0]?.status === 'rejected' && outcomes[0].reason.retryable === false)
      await assert.rejects(async () => scope.sql`select 1`, { name: 'NullpoolError' })
      assert.equal(scope.metrics.connects, 1)
    }))

  test('what is wrong with the options is said at once, and with the connection string at the first query', async () => {
    assert.throws(() => connect({ pool: 3 } as never), { code: 'ERR_OPTIONS', message: /pool/ })
    const nowhere = createDatabase({ ...options, url: () => undefined })
    await assert.rejects(
      nowhere.run({}, ({ sql }) => sql`select 1`),
      { code: 'ERR_URL_MISSING' },
    )
    const broken = createDatabase({ ...options, url: 'postgres://user:hidden-secret@:x/y' })
    const failing = broken.run({}, ({ sql }) => sql`select 1`)
    const error = await failing.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    assert.ok(NullpoolError.is(error) && error.code === 'ERR_URL_INVALID')
    assert.doesNotMatch(`${error.message} ${error.hint} ${error.stack}`, /hidden-secret/)
  })
}
