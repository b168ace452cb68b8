import { createDatabase, type DatabaseOptions, NullpoolError, type Scope } from 'nullpool'
import { describe, expect, inject, it } from 'vitest'
import { useFaultBed } from '../support/fault-bed.ts'

const { pgbouncer, postgres } = inject('servers')
const LIMITS = { connectTimeoutMs: 15_000, queryTimeoutMs: 15_000, closeTimeoutMs: 300 } as const

describe.each([
  ['Postgres', postgres],
  ['PgBouncer', pgbouncer],
] as const)('On a silent %s', (_name, target) => {
  describe.skipIf(!target)('close() takes closeTimeoutMs and says why', () => {
    const bed = useFaultBed(() => target ?? postgres)
    const codesOf = async (work: Promise<unknown>[]): Promise<unknown[]> =>
      (await Promise.allSettled(work)).map((result) =>
        result.status === 'rejected' ? result.reason.code : 'fulfilled',
      )
    const CLOSED = 'ERR_SCOPE_CLOSED'

    it.each(['R10', 'R11', 'R12', 'S', 'K'])(
      'in the login, before %s, for all that wait',
      async (at) => {
        const scope = bed.scope(LIMITS)
        bed.leaveAt('silence', at)
        const failing = codesOf([
          scope.sql`select 1`,
          scope.sql`select ${2}::int`,
          scope.sql`select`,
        ])
        await bed.proxy.until(({ turns }) => turns >= (at === 'R10' ? 1 : 2))
        await scope.close()
        expect(await failing).toEqual([CLOSED, CLOSED, CLOSED])
      },
    )

    it('in a statement, with others behind it', async () => {
      const scope = bed.scope(LIMITS)
      await scope.sql`select 1`
      const { turns } = bed.proxy
      bed.leaveAt('silence', 'T')
      const failing = codesOf([
        scope.sql`select 1`,
        scope.sql`select ${2}::int`,
        scope.sql.begin((tx) => tx`select 3`),
      ])
      await bed.proxy.until((proxy) => proxy.turns > turns)
      await scope.close()
      expect(await failing).toEqual([CLOSED, CLOSED, CLOSED])
    })

    it('in a transaction, between two statements', async () => {
      const scope = bed.scope(LIMITS)
      const beside = Promise.withResolvers<unknown[]>()
      const working = scope.sql.begin(async (tx) => {
        await tx`select 1`
        bed.proxy.stall()
        beside.resolve(codesOf([scope.sql`select 2`]))
        await scope.close()
        await tx`select 3`
      })
      expect(await codesOf([working])).toEqual([CLOSED])
      expect(await beside.promise).toEqual([CLOSED])
    })

    it('for a query whose cancellation nobody confirms, and says that its outcome is not known', async () => {
      const scope = bed.scope(LIMITS)
      await scope.sql`select 1`
      const { turns } = bed.proxy
      // Whatever it says: on a machine that stands still, a cancellation can be heard before its statement.
      bed.leaveInTurn('silence', turns + 1)
      const controller = new AbortController()
      const stopped = scope.abortable(scope.sql`select 2`, controller.signal)
      const results = Promise.allSettled([
        stopped,
        bed.proxy.until((proxy) => proxy.turns > turns).then(() => scope.sql`select 3`),
      ])
      await bed.proxy.until((proxy) => proxy.turns > turns)
      controller.abort()
      for (const result of await results) {
        expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_ABORTED' } })
      }
      const [first] = await results
      expect(first).toMatchObject({ reason: { message: expect.stringContaining('is not known') } })
      await expect(async () => scope.sql`select 4`).rejects.toMatchObject({ code: CLOSED })
    })

    it('when the handler has returned, to a transaction that it did not await', async () => {
      const database = createDatabase({ url: bed.database.url(bed.proxy), ...LIMITS })
      const waited: Promise<unknown>[] = []
      const closed = Promise.withResolvers<void>()
      const dangling: Promise<unknown[]>[] = []
      await database.run({ waitUntil: (promise) => waited.push(promise) }, async ({ sql }) => {
        const open = Promise.withResolvers<void>()
        const working = sql.begin(async (tx) => {
          await tx`select 1`
          open.resolve()
          await closed.promise
          await tx`select 2`
        })
        dangling.push(codesOf([working]))
        await open.promise
        bed.proxy.stall()
      })
      await Promise.all(waited)
      closed.resolve()
      expect(await dangling[0]).toEqual([CLOSED])
    })
  })
})

describe.each([
  ['Postgres', postgres],
  ['PgBouncer', pgbouncer],
] as const)('On %s', (_name, target) => {
  describe.skipIf(!target)('close() and abort at any moment', () => {
    const bed = useFaultBed(() => target ?? postgres)

    /** What requests do, several things at once. */
    async function work(scope: Scope): Promise<PromiseSettledResult<unknown>[]> {
      const { sql } = scope
      return Promise.allSettled([
        sql.begin(async (tx) => {
          await tx`select pg_sleep(0.005)`
          await tx`select ${1}::int`
        }),
        sql`select ${2}::int`,
        sql.begin((tx) => [tx`select 3`, tx`select ${4}::int`]),
        (async () => {
          for await (const _ of sql`select generate_series(1, 30)`.cursor(10));
        })(),
        sql.reserve().then(async (own) => {
          await own`select 5`.finally(() => own.release())
        }),
        sql`select 6`,
      ])
    }

    it.each(Array.from({ length: 20 }, (_, at) => at * 2))('after %i ms', async (ms) => {
      const controller = new AbortController()
      const url = bed.database.url(target ?? postgres)
      const scope = createDatabase({ url, closeTimeoutMs: 5_000 }).scope({
        signal: controller.signal,
      })
      const working = work(scope)
      await new Promise((resolve) => setTimeout(resolve, ms))
      if (ms % 4 === 0) controller.abort()
      const closing = scope.close()
      for (const result of await working) {
        if (result.status === 'fulfilled') continue
        expect(result.reason).toBeInstanceOf(NullpoolError)
        expect(['ERR_SCOPE_CLOSED', 'ERR_ABORTED']).toContain(result.reason.code)
      }
      await closing
    })

    it('leaves nothing behind', async () => {
      await expect.poll(() => bed.database.idleInTransaction()).toBe(0)
    })
  })
})

describe("connect: 'eager'", () => {
  const bed = useFaultBed(() => pgbouncer ?? postgres)
  const eager = (options: DatabaseOptions = {}): Scope =>
    bed.scope({ connect: 'eager', ...options })

  it('connects before the first query, which then takes one trip', async () => {
    const scope = eager()
    await bed.proxy.until(({ turns }) => turns === 3)
    await expect.poll(() => scope.metrics.connects).toBe(1)
    const { roundTrips } = scope.metrics
    await scope.sql`select 1`
    expect(scope.metrics.roundTrips).toBe(roundTrips + 1)
    await scope.close()
  })

  it('closes what was opened and never used', async () => {
    const waited: Promise<unknown>[] = []
    const database = createDatabase({ url: bed.database.url(bed.proxy), connect: 'eager' })
    await database.run({ waitUntil: (promise) => waited.push(promise) }, async () => 'no query')
    await Promise.all(waited)
    await bed.proxy.until(({ connections: [first] }) => first?.open === false)
  })

  it('leaves it to the first query to say that there is no connection string', async () => {
    const scope = createDatabase({ url: () => undefined, connect: 'eager' }).scope()
    expect(() => scope.sql`select 1`).toThrow(expect.objectContaining({ code: 'ERR_URL_MISSING' }))
    await scope.close()
  })

  it('leaves it to the first query to say that nobody could be reached', async () => {
    bed.proxy.refuse = true
    const scope = eager()
    await bed.proxy.until(({ refused }) => refused === 1)
    await expect(scope.sql`select 1`).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' })
    await scope.close()
  })
})
