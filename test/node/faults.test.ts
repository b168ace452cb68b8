import type { DatabaseOptions, Scope } from 'nullpool'
import { describe, expect, inject, it } from 'vitest'
import { CLOSINGS, type How, impatient, useFaultBed, WAYS } from '../support/fault-bed.ts'

const { pgbouncer, postgres } = inject('servers')

/** The codes of one and the same end before and after the first query could run. */
const inLogin = (how: How) => (how === 'silence' ? 'ERR_CONNECT_TIMEOUT' : 'ERR_CONNECTION_LOST')
const later = (how: How) => (how === 'silence' ? 'ERR_QUERY_TIMEOUT' : 'ERR_CONNECTION_LOST')

const plain = ({ sql }: Scope): Promise<unknown> => sql`select 1 as n`.execute()
const bound = ({ sql }: Scope): Promise<unknown> => sql`select ${1}::int as n`.execute()

/** A message of the login, and how much of it arrives. */
const LOGIN = [
  ['in the start-up', 'R10', 0],
  ['in the middle of the start-up’s answer', 'R10', 7],
  ['in SCRAM, before the challenge', 'R11', 0],
  ['in SCRAM, in the middle of the challenge', 'R11', 20],
  ['in SCRAM, before the proof', 'R12', 0],
  ['in SCRAM, in the middle of the proof', 'R12', 20],
] as const

/** A message of a result, and how much of it arrives. */
const RESULT = [
  ['before the first row', 'D', 0],
  ['in the middle of a row', 'D', 6],
  ['between the rows and their end', 'C', 0],
  ['before ReadyForQuery', 'Z', 0],
  ['in the middle of ReadyForQuery', 'Z', 3],
] as const

describe.each([
  ['Postgres', postgres],
  ['PgBouncer', pgbouncer],
] as const)('%s goes away', (_name, target) => {
  describe.skipIf(!target)('on the counting proxy', () => {
    const bed = useFaultBed(() => target ?? postgres)

    describe.each(LOGIN)('%s', (_point, message, keep) => {
      it.each(WAYS)('with %s: nothing ran', async (how) => {
        bed.leaveAt(how, message, keep)
        const scope = bed.scope(impatient(how, 'connectTimeoutMs'))
        const failing = bound(scope)
        const error = await bed.expectFailure(scope, failing, {
          code: inLogin(how),
          retryable: true,
        })
        expect(error.message).toContain('did not run.')
        expect(scope.metrics).toMatchObject({ connects: 0, queries: 0 })
      })
    })

    it.each(WAYS)('between the proof and ReadyForQuery, with %s', async (how) => {
      bed.leaveAt('silence', 'R12', Number.POSITIVE_INFINITY)
      const scope = bed.scope(impatient(how, 'connectTimeoutMs', 3_000))
      const failing = plain(scope)
      // The first flight leaves on the proof: whether the server has read it, nobody can tell.
      await bed.proxy.until(({ turns }) => turns === 4)
      if (how !== 'silence') bed.proxy.cutAll(how)
      await bed.expectFailure(scope, failing, { code: inLogin(how), retryable: false })
    })

    describe.each(RESULT)('%s', (_point, message, keep) => {
      it.each(WAYS)('with %s: whether it ran is not known', async (how) => {
        const scope = bed.scope(impatient(how, 'queryTimeoutMs'))
        await plain(scope)
        bed.leaveAt(how, message, keep)
        const error = await bed.expectFailure(scope, bound(scope), {
          code: later(how),
          retryable: false,
        })
        expect(error.message).toContain('is not known')
      })
    })

    it.each(WAYS)('when a parameterised query has been described, with %s', async (how) => {
      const scope = bed.scope(impatient(how, 'queryTimeoutMs'))
      await plain(scope)
      bed.leaveAt(how, 't')
      await bed.expectFailure(scope, bound(scope), { code: later(how), retryable: false })
    })

    it.each(CLOSINGS)('while idle, with %s: the statement was not sent', async (how) => {
      const scope = bed.scope()
      await plain(scope)
      const { queries } = scope.metrics
      await bed.cut(how)
      await bed.expectFailure(scope, bound(scope), {
        code: 'ERR_CONNECTION_LOST',
        retryable: false,
      })
      expect(scope.metrics.queries).toBe(queries)
    })

    it('while idle, in silence', async () => {
      const scope = bed.scope(impatient('silence', 'queryTimeoutMs'))
      await plain(scope)
      bed.proxy.stall()
      await bed.expectFailure(scope, bound(scope), { code: 'ERR_QUERY_TIMEOUT', retryable: false })
    })

    it.each(WAYS)('with twenty queries waiting, with %s: each of them fails', async (how) => {
      const scope = bed.scope(impatient(how, 'queryTimeoutMs'))
      await plain(scope)
      bed.leaveAt(how, 'D')
      const failing = Promise.all(
        Array.from({ length: 10 }, () => [plain(scope), bound(scope)]).flat(),
      )
      await bed.expectFailure(scope, failing, { code: later(how), retryable: false })
    })

    it('as soon as it has accepted', async () => {
      bed.proxy.refuse = true
      const scope = bed.scope()
      await expect(bound(scope)).rejects.toMatchObject({
        code: 'ERR_CONNECTION_LOST',
        retryable: true,
      })
      await expect(bound(scope)).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' })
      await scope.close()
      expect(bed.proxy.refused).toBe(1)
    })
  })
})

describe('Postgres goes away under TLS', () => {
  const bed = useFaultBed(() => postgres)
  const open = (limits: DatabaseOptions = {}): Scope =>
    bed.scope({ query: '?sslmode=require', tls: { ca: inject('servers').ca }, ...limits })

  describe.each([
    ['before it answers the request for TLS', 1],
    ['in the handshake', 2],
    ['in the start-up', 3],
  ] as const)('%s', (_point, turn) => {
    it.each(WAYS)('with %s: nothing ran', async (how) => {
      bed.leaveInTurn(how, turn)
      const scope = open(impatient(how, 'connectTimeoutMs'))
      await bed.expectFailure(scope, bound(scope), { code: inLogin(how), retryable: true })
    })

    it.each(WAYS)('with %s in the middle of its words', async (how) => {
      // One byte is all there is to the first answer; the others are records of some length.
      bed.leaveInTurn(how, turn, turn === 1 ? 0 : 3)
      const scope = open(impatient(how, 'connectTimeoutMs'))
      await bed.expectFailure(scope, bound(scope), { code: inLogin(how), retryable: true })
    })
  })

  it.each(WAYS)('in the middle of a record, with %s', async (how) => {
    const scope = open(impatient(how, 'queryTimeoutMs'))
    await plain(scope)
    bed.leaveInTurn(how, bed.proxy.turns + 1, 40)
    await bed.expectFailure(scope, plain(scope), { code: later(how), retryable: false })
  })

  it.each(CLOSINGS)('while idle, without a word of TLS, with %s', async (how) => {
    const scope = open()
    await plain(scope)
    await bed.cut(how)
    await bed.expectFailure(scope, bound(scope), { code: 'ERR_CONNECTION_LOST', retryable: false })
  })
})
