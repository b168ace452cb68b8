import { createDatabase, type Scope } from 'nullpool'
import { createPool } from 'nullpool/stationary'
import { describe, expect, inject, it } from 'vitest'
import { useDeeds } from '../support/use-deeds.ts'

const { pgbouncer, postgres } = inject('servers')

describe.skipIf(!pgbouncer)('a callback of the driver', () => {
  const bed = useDeeds()
  const open = (): Scope =>
    createDatabase({
      url: bed.url(pgbouncer ?? postgres),
      pooler: 'pgbouncer',
      queryTimeoutMs: 3_000,
    }).scope()
  const deeds = (): Promise<unknown[]> => bed.deeds()

  it.each(['batch', 'transaction'] as const)(
    '%s() in it is part of the transaction',
    async (how) => {
      await using scope = open()
      await scope.sql`select 1`
      const pending: Promise<unknown>[] = []
      const failing = scope.transaction(async (sql) => {
        await sql`select 1`.forEach(() => {
          if (how === 'batch')
            pending.push(scope.batch((inner) => [inner`insert into deeds values ('escaped')`]))
          else
            pending.push(scope.transaction((inner) => inner`insert into deeds values ('escaped')`))
        })
        throw new Error('on purpose')
      })
      await expect(failing).rejects.toThrow('on purpose')
      await Promise.allSettled(pending)
      expect(await deeds()).toEqual([])
    },
  )

  it('the outer handle in it is part of the savepoint', async () => {
    await using scope = open()
    await scope.sql`select 1`
    await scope.transaction(async (sql) => {
      const pending: Promise<unknown>[] = []
      const failing = sql.savepoint(async (inner) => {
        await inner`select 1`.forEach(() => {
          pending.push(sql`insert into deeds values ('escaped')`.execute())
        })
        throw new Error('on purpose')
      })
      await expect(failing).rejects.toThrow('on purpose')
      await Promise.allSettled(pending)
    })
    expect(await deeds()).toEqual([])
  })

  it('may use the handle behind a savepoint', async () => {
    await using scope = open()
    await scope.transaction(async (sql) => {
      await sql.savepoint((inner) => inner`select 1`)
      const pending: Promise<unknown>[] = []
      await sql`select n::text as n from generate_series(1, 3) n`.forEach(({ n }) => {
        pending.push(sql`insert into deeds values (${n})`.execute())
      })
      expect(
        (await Promise.allSettled(pending)).map(
          (each) => each.status === 'rejected' && each.reason.code,
        ),
      ).toEqual([false, false, false])
    })
    expect(await deeds()).toEqual(['1', '2', '3'])
  })

  it('may use the sql of its request on a pool', async () => {
    await using pool = createPool({ url: bed.url(postgres), pooler: 'postgres', poolSize: 1 })
    await pool.run({}, async (scope) => void (await scope.sql`select 1`))
    const codes = await pool.run({}, async (scope) => {
      const seen: unknown[] = []
      await scope.sql`select 1`.forEach(() => {
        try {
          void scope.sql`select 2`.execute()
          seen.push('ok')
        } catch (error) {
          seen.push((error as { code: string }).code)
        }
      })
      return seen
    })
    expect(codes).toEqual(['ok'])
  })
})
