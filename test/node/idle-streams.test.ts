import { once } from 'node:events'
import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')
/** Long enough for a machine that stands still for a moment, where something is answered before it. */
const SHORT = 1_500
const HURRIED = { queryTimeoutMs: SHORT }

describe.each([
  ['Postgres', postgres],
  ['PgBouncer', pgbouncer],
] as const)('On %s', (_name, target) => {
  describe.skipIf(!target)('a request', () => {
    let database: TestDatabase
    beforeAll(async () => {
      database = await createTestDatabase()
      await database.sql`create table written (n int)`
    })
    afterAll(() => database[Symbol.asyncDispose]())

    const connect = (options: DatabaseOptions = {}) =>
      createDatabase({ url: database.url(target ?? postgres), ...options })

    /** Runs a request; resolves once the platform would let it end, with what was thrown. */
    async function request(
      work: (scope: Scope) => Promise<unknown>,
      options: DatabaseOptions = {},
    ): Promise<unknown> {
      const waited: Promise<unknown>[] = []
      const outcome = await connect(options)
        .run({ waitUntil: (promise) => waited.push(promise) }, work)
        .then(
          () => undefined,
          (error: unknown) => error,
        )
      for (const promise of waited) await promise
      expect(waited.length).toBeGreaterThan(0)
      return outcome
    }

    const someRows = 'select n from generate_series(1, 100) as n'

    it('fails that awaits sql inside of a loop over a cursor, and does not end it silently', async () => {
      let batches = 0
      const error = await request(async ({ sql }) => {
        for await (const _ of sql.unsafe(someRows).cursor(10)) {
          batches += 1
          await sql`select 1`
        }
      }, HURRIED)
      expect(error).toMatchObject({ code: 'ERR_STREAM_IDLE' })
      expect(String(error)).toContain('inside of a loop over a cursor')
      expect(batches).toBe(1)
    })

    it('fails that swallows the error inside of the loop: the cursor fails too', async () => {
      const error = await request(async ({ sql }) => {
        for await (const _ of sql.unsafe(someRows).cursor(10)) await sql`select 1`.catch(() => {})
      }, HURRIED)
      expect(error).toMatchObject({ code: 'ERR_STREAM_IDLE' })
    })

    it('fails whose callback of a cursor awaits sql', async () => {
      const error = await request(
        ({ sql }) =>
          sql.unsafe(someRows).cursor(10, async () => {
            await sql`select 1`
          }),
        HURRIED,
      )
      expect(error).toMatchObject({ code: 'ERR_STREAM_IDLE' })
    })

    const LEFT: readonly [string, (scope: Scope) => Promise<unknown>][] = [
      ['a cursor', ({ sql }) => sql.unsafe(someRows).cursor(10)[Symbol.asyncIterator]().next()],
      [
        'a COPY to the client',
        async ({ sql }) => {
          const long = sql`copy (select repeat('x', 1000) from generate_series(1, 20000)) to stdout`
          const stream = await long.readable()
          stream.on('error', () => {})
          for await (const _ of stream) break
        },
      ],
      [
        'a COPY from the client',
        async ({ sql }) => {
          const stream = await sql`copy written from stdin`.writable()
          stream.on('error', () => {})
          stream.write('1\n')
        },
      ],
    ]

    it.each(LEFT)('that leaves %s behind closes in time', async (_what, leave) => {
      const events: unknown[] = []
      const error = await request(leave, {
        queryTimeoutMs: 60_000,
        closeTimeoutMs: 300,
        onEvent: (event) => events.push(event),
      })
      expect(error).toBeUndefined()
      expect(events.at(-1)).toMatchObject({ type: 'close' })
      await expect.poll(() => database.idleInTransaction()).toBe(0)
      expect(await database.sql`select * from written`).toEqual([])
    })

    it('may take its time with a cursor, as long as it goes on', async () => {
      let rows = 0
      const error = await request(
        async ({ sql }) => {
          for await (const batch of sql.unsafe(someRows).cursor(10)) {
            rows += batch.length
            await new Promise((resolve) => setTimeout(resolve, 350))
          }
        },
        { queryTimeoutMs: 3_000 },
      )
      expect(error).toBeUndefined()
      expect(rows).toBe(100)
    })

    it('may leave a cursor early and go on', async () => {
      const error = await request(async ({ sql }) => {
        for await (const _ of sql.unsafe(someRows).cursor(10)) break
        const reader = sql.unsafe(someRows).cursor(10, () => sql.CLOSE)
        await reader
        expect(await sql`select 1 as n`).toEqual([{ n: 1 }])
      })
      expect(error).toBeUndefined()
    })

    it('gets the error of a COPY whose last row is wrong', async () => {
      const error = await request(async ({ sql }) => {
        const stream = await sql`copy written from stdin`.writable()
        stream.end('not a number\n')
        await once(stream, 'finish')
      })
      expect(error).toMatchObject({ name: 'PostgresError', code: '22P02' })
    })

    it('may use sql beside a reservation that it never releases', async () => {
      const error = await request(async ({ sql }) => {
        const first = await sql.reserve()
        const second = await sql.reserve()
        expect(await sql`select 1 as n`).toEqual([{ n: 1 }])
        expect(await first`select 2 as n`).toEqual([{ n: 2 }])
        expect(await second`select ${3}::int as n`).toEqual([{ n: 3 }])
        first.release()
        first.release()
        const third = await sql.reserve()
        expect(await third`select 4 as n`).toEqual([{ n: 4 }])
      })
      expect(error).toBeUndefined()
    })

    it('keeps sql out of the transaction of a reservation', async () => {
      const error = await request(async ({ sql }) => {
        const reserved = await sql.reserve()
        await reserved`begin`
        await reserved`insert into written values (1)`
        const beside = sql`select n from written`
        await reserved`rollback`
        expect(await beside).toEqual([])
        reserved.release()
      })
      expect(error).toBeUndefined()
    })

    it('ends a reservation’s transaction that is left open, and says so', async () => {
      const error = await request(async ({ sql }) => {
        const reserved = await sql.reserve()
        await reserved`begin`
        await reserved`select 1`
        await sql`select 1`
      }, HURRIED)
      expect(error).toMatchObject({ code: 'ERR_TRANSACTION_IDLE' })
      await expect.poll(() => database.idleInTransaction()).toBe(0)
    })

    it('has its statement stopped whose deadline passes', async () => {
      const error = await request(({ sql }) => sql`select pg_sleep(60)`, HURRIED)
      expect(error).toMatchObject({ code: 'ERR_QUERY_TIMEOUT', retryable: false })
      await expect
        .poll(async () => {
          const [row] = await database.sql`
            select count(*)::int as n from pg_stat_activity
            where datname = ${database.name} and query like '%pg_sleep(60)%' and pid <> pg_backend_pid()
            and state = 'active'`
          return row?.n
        })
        .toBe(0)
    })

    it('may cancel a statement before there is a connection', async () => {
      const error = await request(async ({ sql }) => {
        const query = sql`insert into written values (1)`.execute()
        query.cancel()
        await expect(query).rejects.toMatchObject({ code: '57014' })
        expect(await sql`select n from written`).toEqual([])
      })
      expect(error).toBeUndefined()
    })

    it('may cancel a statement that has not come to its turn, and mixes up no answers', async () => {
      const error = await request(async ({ sql }) => {
        const [first, second, third] = [1, 2, 3].map((n) => sql.unsafe(`select ${n} as n`))
        const all = Promise.allSettled([first, second, third])
        await new Promise((resolve) => setTimeout(resolve))
        second?.cancel()
        expect(await all).toMatchObject([
          { value: [{ n: 1 }] },
          { reason: { code: '57014' } },
          { value: [{ n: 3 }] },
        ])
      })
      expect(error).toBeUndefined()
    })
  })
})
