import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')
const MB = 1_048_576

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes that are in use after a collection: objects, and buffers outside of the heap. */
function bytesInUse(): number {
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** The most that is in use, looked at every so many calls, above the least. */
function watchMemory(every: number): { look(): void; growth(): number } {
  const seen: number[] = []
  let calls = 0
  return {
    look() {
      calls += 1
      if (calls % every === 0) seen.push(bytesInUse())
    },
    growth: () => Math.max(...seen) - Math.min(...seen),
  }
}

describe.each([
  ['Postgres', postgres],
  ['PgBouncer', pgbouncer],
] as const)('On %s', (_name, target) => {
  describe.skipIf(!target)('what is large', { timeout: 60_000 }, () => {
    let database: TestDatabase
    let proxy: CountingProxy
    beforeAll(async () => {
      database = await createTestDatabase()
      await database.sql.unsafe(`
        create table big (line text);
        create function wait() returns trigger language plpgsql as $$
          begin perform pg_advisory_xact_lock_shared(1); return new; end $$;
        create trigger wait before insert on big for each row execute function wait()`)
      proxy = await startCountingProxy({ target: target ?? postgres })
    })
    afterAll(async () => {
      await proxy.stop()
      await database[Symbol.asyncDispose]()
    })

    const open = (options: DatabaseOptions = {}): Scope =>
      createDatabase({ url: database.url(proxy), closeTimeoutMs: 5_000, ...options }).scope()

    it.each(['cursor', 'forEach'])(
      'a million rows go through a %s without being held',
      async (how) => {
        await using scope = open()
        const memory = watchMemory(how === 'cursor' ? 50 : 50_000)
        let sum = 0
        const add = ({ n }: { n: number }): void => {
          sum += n
        }
        const query = scope.sql<{ n: number }[]>`
          select n, repeat('x', 100) as padding from generate_series(1, ${1_000_000}::int) as n`
        if (how === 'cursor') {
          for await (const rows of query.cursor(1_000)) {
            rows.forEach(add)
            memory.look()
          }
        } else {
          await query.forEach((row) => {
            add(row)
            memory.look()
          })
        }
        expect(sum).toBe(500_000_500_000)
        expect(scope.metrics.bytesReceived).toBeGreaterThan(100 * MB)
        expect(memory.growth()).toBeGreaterThan(0)
        expect(memory.growth()).toBeLessThan(24 * MB)
      },
    )

    it('a value and a statement of tens of megabytes arrive whole', async () => {
      await using scope = open()
      const value = 'é'.repeat(16 * MB)
      const md5 = createHash('md5').update(value).digest('hex')
      const [bound] = await scope.sql`select md5(${value}) as md5, length(${value}) as length`
      expect(bound).toEqual({ md5, length: 16 * MB })
      const [written] = await scope.sql.unsafe(`select md5('${value}') as md5`)
      expect(written).toEqual({ md5 })
      expect(scope.metrics.bytesSent).toBeGreaterThan(96 * MB)
    })

    it('a result of tens of megabytes in one value arrives whole', async () => {
      await using scope = open()
      const [row] = await scope.sql<[{ text: string }]>`select repeat('é', ${16 * MB}::int) as text`
      expect(row.text.length).toBe(16 * MB)
      expect(row.text).toBe('é'.repeat(16 * MB))
    })

    it('a COPY that nobody reads stops at the server, and goes on where somebody does', async () => {
      // The proxy reads ahead, whatever its client does.
      await using scope = open({ url: database.url(target ?? postgres) })
      const stream = await scope.sql`
        copy (select repeat('x', 999) from generate_series(1, 65536)) to stdout`.readable()
      const chunks = stream[Symbol.asyncIterator]()
      let bytes: number = (await chunks.next()).value.length
      const waits = await serverWaits(database, '%copy (select repeat%')
      expect(waits).toBe('ClientWrite')
      expect(scope.metrics.bytesReceived).toBeLessThan(16 * MB)
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
        bytes += next.value.length
      }
      expect(bytes).toBe(1_000 * 65_536)
    })

    it('a COPY to a server that takes nothing stops at its source, and goes on where it does', async () => {
      await using scope = open({ url: database.url(target ?? postgres) })
      const gate = await database.sql.reserve()
      await gate`select pg_advisory_lock(1)`
      const stream = await scope.sql`copy big from stdin`.writable()
      let [produced, most] = [0, 4_096]
      const line = `${'x'.repeat(999)}\n`
      const chunk = Buffer.from(line.repeat(64))
      const copying = pipeline(
        Readable.from(
          (function* () {
            for (; produced < most; produced += 1) yield chunk
          })(),
        ),
        stream,
      )
      await untilSteady(() => produced)
      // The kernels' buffers are full by now: of two connections, and each may have grown to 37 megabytes.
      expect(produced).toBeLessThan(2_048)
      most = produced + 64
      expect(scope.metrics.bytesSent - produced * chunk.length).toBeLessThan(MB)
      await gate`select pg_advisory_unlock(1)`
      gate.release()
      await copying
      const [row] = await scope.sql`select count(*)::int as count from big`
      expect(produced).toBe(most)
      expect(row).toEqual({ count: 64 * most })
    })
  })
})

/** What the backend of a statement waits for, once it waits for the same thing twice in a row. */
async function serverWaits(database: TestDatabase, like: string): Promise<unknown> {
  let seen: unknown
  for (;;) {
    const [row] = await database.sql`
      select wait_event from pg_stat_activity, pg_sleep(0.2)
      where query like ${like} and pid <> pg_backend_pid()`
    const event: unknown = row?.wait_event
    if (event && event === seen) return event
    seen = event
  }
}

/** Resolves when a number has been the same over 20 looks in a row. */
async function untilSteady(look: () => number): Promise<void> {
  let last = -1
  for (let same = 0; same < 20; ) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    same = look() === last ? same + 1 : 0
    last = look()
  }
}
