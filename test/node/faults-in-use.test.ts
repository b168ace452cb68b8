import type { Scope } from 'nullpool'
import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import {
  CLOSINGS,
  failureOf,
  type How,
  impatient,
  useFaultBed,
  WAYS,
} from '../support/fault-bed.ts'

const { pgbouncer, postgres } = inject('servers')

const lost = (how: How) => (how === 'silence' ? 'ERR_QUERY_TIMEOUT' : 'ERR_CONNECTION_LOST')

describe.each([
  ['Postgres', postgres],
  ['PgBouncer', pgbouncer],
] as const)('%s goes away', (_name, target) => {
  describe.skipIf(!target)('in the middle of the work', () => {
    const bed = useFaultBed(() => target ?? postgres)
    beforeAll(() => bed.database.sql`create table written (n int)`)
    beforeEach(() => bed.database.sql`truncate written`)

    const committed = async (): Promise<number[]> =>
      (await bed.database.sql`select n from written order by n`).map(({ n }) => n)

    /** Reads a cursor in tens and does something behind the first ten. */
    const read = async ({ sql }: Scope, think: () => unknown): Promise<number> => {
      let rows = 0
      for await (const batch of sql`select generate_series(1, ${100}::int)`.cursor(10)) {
        rows += batch.length
        if (rows === 10) await think()
      }
      return rows
    }

    describe('under a cursor', () => {
      it.each(CLOSINGS)('while its consumer is thinking, with %s', async (how) => {
        const scope = bed.scope()
        await bed.expectFailure(
          scope,
          read(scope, () => bed.cut(how)),
          { code: 'ERR_CONNECTION_LOST', retryable: false },
        )
      })

      it('while its consumer is thinking, in silence', async () => {
        const scope = bed.scope(impatient('silence', 'queryTimeoutMs'))
        await bed.expectFailure(
          scope,
          read(scope, () => bed.proxy.stall()),
          { code: 'ERR_QUERY_TIMEOUT', retryable: false },
        )
      })

      it.each(WAYS)('in the middle of a batch, with %s', async (how) => {
        const scope = bed.scope(impatient(how, 'queryTimeoutMs'))
        await bed.expectFailure(
          scope,
          read(scope, () => bed.leaveAt(how, 'D', 5)),
          { code: lost(how), retryable: false },
        )
      })

      it.each(CLOSINGS)('that its consumer leaves, with %s', async (how) => {
        const scope = bed.scope()
        const leaving = async (): Promise<void> => {
          for await (const _ of scope.sql`select generate_series(1, 100)`.cursor(10)) {
            await bed.cut(how)
            break
          }
          await scope.sql`select 1`
        }
        await bed.expectFailure(scope, leaving(), { code: 'ERR_CONNECTION_LOST', retryable: false })
      })

      it.each(CLOSINGS)('that calls back, with %s', async (how) => {
        const scope = bed.scope()
        const reading = scope.sql`select generate_series(1, 100)`.cursor(10, () => bed.cut(how))
        await bed.expectFailure(scope, reading, { code: 'ERR_CONNECTION_LOST', retryable: false })
      })

      it.each(WAYS)('whose last rows are there and not committed, with %s', async (how) => {
        const scope = bed.scope(impatient(how, 'queryTimeoutMs'))
        await scope.sql`select 1`
        bed.leaveAt(how, 'C', Number.POSITIVE_INFINITY)
        const writing = async (): Promise<void> => {
          const rows = scope.sql`insert into written select generate_series(1, 3) returning n`
          for await (const _ of rows.cursor(10));
        }
        await bed.expectFailure(scope, writing(), { code: lost(how), retryable: false })
      })
    })

    describe('in a transaction', () => {
      it.each(WAYS)('before BEGIN is answered, with %s, and what came with it', async (how) => {
        const scope = bed.scope(impatient(how, 'queryTimeoutMs'))
        await scope.sql`select 1`
        bed.leaveAt(how, 'C')
        const working = scope.sql.begin((tx) => tx`insert into written values (1)`)
        await bed.expectFailure(scope, working, { code: lost(how), retryable: false })
        expect(await committed()).toEqual([])
      })

      it.each(WAYS)('between two statements, with %s: all that follow settle', async (how) => {
        const scope = bed.scope(impatient(how, 'queryTimeoutMs'))
        const statuses: string[] = []
        const working = scope.sql.begin(async (tx) => {
          await tx`insert into written values (1)`
          if (how === 'silence') bed.proxy.stall()
          else await bed.cut(how)
          const settled = await Promise.allSettled([
            tx`insert into written values (${2})`,
            tx`insert into written values (3)`,
            tx.savepoint((inner) => inner`insert into written values (${4})`),
            tx.unsafe('insert into written values (5); insert into written values (6)'),
          ])
          statuses.push(...settled.map(({ status }) => status))
        })
        // Nothing was sent after the end, and what was sent before it is rolled back.
        await bed.expectFailure(scope, working, { code: lost(how), retryable: false })
        expect(statuses).toEqual(['rejected', 'rejected', 'rejected', 'rejected'])
        expect(await committed()).toEqual([])
      })

      it.each(WAYS)('in a statement of several, with %s', async (how) => {
        const scope = bed.scope(impatient(how, 'queryTimeoutMs'))
        const working = scope.sql.begin(async (tx) => {
          await tx`insert into written values (1)`
          bed.leaveAt(how, 'Z')
          await Promise.all([2, 3, 4].map((n) => tx`insert into written values (${n})`))
        })
        await bed.expectFailure(scope, working, { code: lost(how), retryable: false })
        expect(await committed()).toEqual([])
      })

      it.each(CLOSINGS)(
        'whose work catches every error, with %s: it fails all the same',
        async (how) => {
          const scope = bed.scope()
          const working = scope.sql.begin(async (tx) => {
            await tx`insert into written values (1)`
            await bed.cut(how)
            await tx`insert into written values (2)`.catch(() => {})
          })
          await bed.expectFailure(scope, working, { code: 'ERR_CONNECTION_LOST', retryable: false })
          expect(await committed()).toEqual([])
        },
      )

      it.each(CLOSINGS)('before COMMIT is sent, with %s: nothing is committed', async (how) => {
        const scope = bed.scope()
        const working = scope.sql.begin(async (tx) => {
          await tx`insert into written values (1)`
          await bed.cut(how)
        })
        await bed.expectFailure(scope, working, { code: 'ERR_CONNECTION_LOST', retryable: false })
        expect(await committed()).toEqual([])
      })

      it.each(WAYS)('and the answer to COMMIT is lost, with %s', async (how) => {
        const scope = bed.scope(impatient(how, 'queryTimeoutMs'))
        const working = scope.sql.begin(async (tx) => {
          await tx`insert into written values (1)`
          bed.leaveAt(how, 'C')
        })
        const error = await bed.expectFailure(scope, working, { code: lost(how), retryable: false })
        // That it took effect is what nobody could tell.
        expect(error.message).toContain('is not known')
        expect(await committed()).toEqual([1])
      })

      it.each(CLOSINGS)('and others wait behind it, with %s', async (how) => {
        const scope = bed.scope()
        const first = scope.sql.begin(async (tx) => {
          await tx`insert into written values (1)`
          await bed.cut(how)
          await tx`insert into written values (2)`
        })
        const waiting = Promise.allSettled([
          scope.sql.begin((tx) => tx`insert into written values (3)`),
          scope.sql`insert into written values (4)`,
        ])
        await bed.expectFailure(scope, first, { code: 'ERR_CONNECTION_LOST', retryable: false })
        expect((await waiting).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
        expect(await committed()).toEqual([])
      })

      it.each(CLOSINGS)('of a reserved connection, with %s', async (how) => {
        const scope = bed.scope()
        await scope.sql`select 1`
        const reserved = await scope.sql.reserve()
        await reserved`begin`
        await reserved`insert into written values (1)`
        await bed.cut(how)
        const failing = reserved`commit`.finally(() => reserved.release())
        await bed.expectFailure(scope, failing, { code: 'ERR_CONNECTION_LOST', retryable: false })
        expect(await committed()).toEqual([])
      })
    })

    it('rejects what run() was doing, and closes', async () => {
      const scope = bed.scope()
      await scope.sql`select 1`
      bed.leaveAt('rst', 'D')
      const error = await failureOf(scope.sql`select 2`)
      expect(error.code).toBe('ERR_CONNECTION_LOST')
      await scope.close()
    })
  })
})
