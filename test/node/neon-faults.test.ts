import type { Client } from '@neondatabase/serverless'
import { NullpoolError, type Scope } from 'nullpool'
import { neonClient, neonPool } from 'nullpool/neon'
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
  describe.skipIf(!target)('under a client of Neon’s driver', () => {
    const bed = useFaultBed(() => target ?? postgres)
    beforeAll(() => bed.database.sql`create table written (n int)`)
    beforeEach(() => bed.database.sql`truncate written`)
    const committed = async (): Promise<number[]> =>
      (await bed.database.sql`select n from written order by n`).map(({ n }) => n)

    /** A client that must emit no error, and everything that it emits. */
    const watched = (scope: Scope): { client: Client; emitted: string[] } => {
      const client = neonClient(scope)
      const emitted: string[] = []
      for (const event of ['error', 'end'] as const) {
        client.on(event as 'end', () => emitted.push(event))
      }
      return { client, emitted }
    }

    it.each(WAYS)('before the login, with %s', async (how) => {
      const scope = bed.scope(impatient(how, 'connectTimeoutMs'))
      bed.leaveInTurn(how, 1)
      const { client, emitted } = watched(scope)
      await client.connect()
      const all = await Promise.all([1, 2, 3].map((n) => failureOf(client.query(`select ${n}`))))
      const [first] = all
      expect(first?.retryable).toBe(true)
      expect(all.map(({ code }) => code)).toEqual(all.map(() => first?.code))
      expect(new Set(all).size).toBe(3)
      await bed.expectFailure(
        scope,
        client.query('select $1::int', [1]),
        {
          code: first?.code ?? 'ERR_SERVER',
          retryable: true,
        },
        () => client.query('select $1::int', [2]),
      )
      expect(emitted).toEqual([])
    })

    it.each(['D', 'C', 'Z'].flatMap((at) => WAYS.map((how) => [at, how] as const)))(
      'in an answer, at %s, with %s',
      async (at, how) => {
        const scope = bed.scope(impatient(how, 'queryTimeoutMs'))
        const { client, emitted } = watched(scope)
        await client.query('select 1')
        bed.leaveAt(how, at, 3)
        const failing = client.query('select generate_series(1, $1::int)', [3])
        const waiting = [client.query('select 2'), neonPool(scope).query('select 3')]
        const rest = Promise.all(waiting.map((each) => failureOf(each)))
        await bed.expectFailure(scope, failing, { code: lost(how), retryable: false }, () =>
          client.query('select $1::int', [2]),
        )
        expect((await rest).map(({ code }) => code)).toEqual([lost(how), lost(how)])
        expect(emitted).toEqual([])
      },
    )

    it.each(CLOSINGS)(
      'behind an error of the server, with %s: nobody hears it twice',
      async (how) => {
        const scope = bed.scope()
        const { client, emitted } = watched(scope)
        await client.query('select 1')
        bed.leaveAt(how, 'Z')
        await expect(client.query('select nothing')).rejects.toMatchObject({ code: '42703' })
        await bed.expectFailure(
          scope,
          client.query('select 1'),
          {
            code: 'ERR_CONNECTION_LOST',
            retryable: false,
          },
          () => client.query('select $1::int', [2]),
        )
        expect(emitted).toEqual([])
      },
    )

    it.each(CLOSINGS)('between two statements, with %s', async (how) => {
      const scope = bed.scope()
      const { client, emitted } = watched(scope)
      await client.query('select 1')
      await bed.cut(how)
      await bed.expectFailure(
        scope,
        client.query('select 1'),
        {
          code: 'ERR_CONNECTION_LOST',
          retryable: false,
        },
        () => client.query('select $1::int', [2]),
      )
      const ended = new Promise<void>((resolve) => client.on('end', resolve))
      await Promise.all([client.end(), ended])
      expect(emitted).toEqual(['end'])
    })

    it.each(CLOSINGS)('in a transaction, with %s: what is left of it settles', async (how) => {
      const scope = bed.scope()
      const { client } = watched(scope)
      await client.query('begin')
      await client.query('insert into written values (1)')
      await bed.cut(how)
      const error = await failureOf(client.query('insert into written values (2)'))
      expect(error).toMatchObject({ code: 'ERR_CONNECTION_LOST', retryable: false })
      expect(await failureOf(client.query('commit'))).toMatchObject({ outcome: 'rolled back' })
      expect(await client.query('rollback')).toMatchObject({ command: 'ROLLBACK' })
      await scope.close()
      expect(await committed()).toEqual([])
    })

    it.each(CLOSINGS)('at COMMIT, with %s: what became of it is not known', async (how) => {
      const scope = bed.scope()
      const { client } = watched(scope)
      await client.query('begin')
      await client.query('insert into written values (1)')
      await client.query('commit')
      await client.query('begin')
      await client.query('insert into written values (2)')
      bed.leaveAt(how, 'C')
      expect(await failureOf(client.query('commit'))).toMatchObject({
        code: 'ERR_CONNECTION_LOST',
        outcome: 'unknown',
      })
      await scope.close()
    })

    it.each(CLOSINGS)('behind the answer to COMMIT, with %s: it is committed', async (how) => {
      const scope = bed.scope()
      const { client } = watched(scope)
      await client.query('begin')
      await client.query('insert into written values (1)')
      bed.leaveAt(how, 'Z')
      expect(await client.query('commit')).toMatchObject({ command: 'COMMIT' })
      expect(await failureOf(client.query('select 1'))).toMatchObject({ retryable: false })
      await scope.close()
      expect(await committed()).toEqual([1])
    })

    it('in a portion of rows', async () => {
      const scope = bed.scope()
      const { client, emitted } = watched(scope)
      await client.query('select 1')
      bed.leaveAt('fin', 's')
      const config = { text: 'select generate_series(1, 100)', rows: 10 }
      await bed.expectFailure(
        scope,
        client.query(config),
        {
          code: 'ERR_CONNECTION_LOST',
          retryable: false,
        },
        () => client.query('select $1::int', [2]),
      )
      expect(emitted).toEqual([])
    })

    it('or is slow: the statement is stopped, and nobody waits for longer', async () => {
      const scope = bed.scope({ queryTimeoutMs: 300 })
      const { client, emitted } = watched(scope)
      const all = [client.query('select pg_sleep($1)', [60]), client.query('select 1')]
      const rest = failureOf(all[1] ?? all[0] ?? Promise.resolve())
      await bed.expectFailure(
        scope,
        all[0] ?? Promise.resolve(),
        {
          code: 'ERR_QUERY_TIMEOUT',
          retryable: false,
        },
        () => client.query('select $1::int', [2]),
      )
      expect(NullpoolError.is(await rest)).toBe(true)
      expect(emitted).toEqual([])
    })

    it('or somebody waits behind a transaction that nobody goes on with', async () => {
      const scope = bed.scope({ queryTimeoutMs: 2_000 })
      const pool = neonPool(scope)
      const holder = await pool.connect()
      await holder.query('begin')
      await holder.query('select 1')
      const error = await failureOf(pool.query('select 1').then(() => holder.query('select 2')))
      expect(error.code).toMatch(/^ERR_TRANSACTION_(IDLE|WAIT)$/)
      holder.release()
      await scope.close()
    })
  })
})
