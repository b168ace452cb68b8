import assert from 'node:assert/strict'
import type { NullpoolEvent } from 'nullpool'
import type { Place, Test } from './contract.ts'

/** What every runtime must show of connections that come and go. */
export function lifecycle(test: Test, { connect, run }: Place): void {
  test('scope() opens nothing, the first query opens one connection, close() ends it', async () => {
    const scope = connect().scope()
    assert.equal(scope.metrics.connects, 0)
    for (let n = 0; n < 5; n += 1) await scope.sql`select ${n}::int`
    assert.equal(scope.metrics.connects, 1)
    await scope.close()
    await scope.close()
    await assert.rejects(async () => scope.sql`select 1`, { code: 'ERR_SCOPE_CLOSED' })
  })

  test('run() refuses a scope after its end, and from inside of another', async () => {
    const database = connect()
    const leaked = await database.run({}, async (scope) => scope)
    await leaked.close()
    await assert.rejects(async () => leaked.sql`select 1`, { code: 'ERR_SCOPE_CLOSED' })
    const open = database.scope()
    await database.run({}, () =>
      assert.rejects(async () => open.sql`select 1`, { code: 'ERR_SCOPE_FOREIGN' }),
    )
    await open.close()
  })

  test('hold() keeps the connection for background work', async () => {
    let finished: Promise<unknown> = Promise.resolve()
    const scope = await connect().run({}, async (scope) => {
      finished = scope.sql`select 1`.then(() => scope.sql`select 2`)
      scope.hold(finished)
      return scope
    })
    await finished
    assert.equal(scope.metrics.connects, 1)
    assert.equal(scope.metrics.queries, 2)
  })

  test('waitUntil is given what goes on behind the result, and none of it rejects', async () => {
    const background: Promise<unknown>[] = []
    const events: NullpoolEvent[] = []
    const database = connect({ onEvent: (event) => void events.push(event) })
    const waitUntil = (promise: Promise<unknown>) => void background.push(promise)
    const [row] = await database.run({ waitUntil }, ({ sql }) => sql`select ${1}::int as n`)
    assert.equal(row?.n, 1)
    assert.ok(background.length > 0)
    while (background.length > 0) await Promise.all(background.splice(0))
    const types = events.map(({ type }) => type).filter((type) => type !== 'warning')
    assert.deepEqual(types, ['connect', 'query', 'close'])
    assert.deepEqual(events.at(-1), { type: 'close' })
  })

  test('run() passes on what its work throws, and rolls back what it left open', async () => {
    const database = connect()
    const watcher = database.scope()
    const name = `contract_left_${crypto.randomUUID().replaceAll('-', '')}`
    const table = watcher.sql(name)
    await watcher.sql`create table ${table} (n int)`
    const thrown = new RangeError('no')
    const background: Promise<unknown>[] = []
    const waitUntil = (promise: Promise<unknown>) => void background.push(promise)
    const failing = database.run({ waitUntil }, async ({ sql }) => {
      await new Promise<void>((resolve, reject) => {
        const open = sql.begin(async (tx) => {
          await tx`insert into ${tx(name)} values (1)`
          resolve()
          await new Promise(() => undefined)
        })
        open.catch(reject)
      })
      throw thrown
    })
    await assert.rejects(failing, (error) => error === thrown)
    while (background.length > 0) await Promise.all(background.splice(0))
    assert.deepEqual([...(await watcher.sql`select n from ${table}`)], [])
    await watcher.sql`drop table ${table}`
    await watcher.close()
  })

  test('metrics count what a request costs', () =>
    run(async (scope) => {
      await scope.sql`select ${'learned'}::text as warm`
      const before = scope.metrics.roundTrips
      await scope.sql`select ${'known'}::text as warm`
      const { connects, roundTrips, queries, bytesSent, bytesReceived } = scope.metrics
      assert.deepEqual([connects, queries, roundTrips - before], [1, 2, 1])
      assert.ok(bytesSent > 0 && bytesReceived > 0)
    }))

  test('a hundred requests, ten at a time, keep apart', async () => {
    const database = connect()
    const one = (n: number) =>
      database.run({}, async (scope) => {
        const [row] = await scope.sql.begin(async (tx) => {
          await tx`select set_config('contract.n', ${String(n)}, true)`
          return tx`select current_setting('contract.n')::int as n`
        })
        return [row?.n, scope.metrics.connects]
      })
    for (let at = 0; at < 100; at += 10) {
      const numbers = Array.from({ length: 10 }, (_, index) => at + index)
      assert.deepEqual(
        await Promise.all(numbers.map(one)),
        numbers.map((n) => [n, 1]),
      )
    }
  })
}
