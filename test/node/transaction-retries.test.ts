import { sql as expression } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { createDatabase, type Scope } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { describe, expect, inject, it } from 'vitest'
import { useDeeds } from '../support/use-deeds.ts'

const { pgbouncer } = inject('servers')

const raise = (code: string): string => `do $$ begin raise sqlstate '${code}'; end $$`

describe.skipIf(!pgbouncer)('retries of a transaction', () => {
  const bed = useDeeds()
  const open = (signal?: AbortSignal): Scope =>
    createDatabase({ url: bed.url(pgbouncer ?? bed.servers.postgres), pooler: 'pgbouncer' }).scope(
      signal ? { signal } : {},
    )
  const deeds = async (): Promise<unknown[]> =>
    (await bed.sql`select name from deeds`).map(({ name }) => name)

  it.each(['40001', '40P01'])('see %s behind the error of Drizzle’s own', async (code) => {
    await using scope = open()
    const db = drizzle(drizzleClient(scope))
    let runs = 0
    const result = await scope.transaction({ retries: 2 }, () =>
      db.transaction(async (tx) => {
        runs += 1
        await tx.execute(expression`insert into deeds values (${`run ${runs}`})`)
        if (runs < 3) await tx.execute(expression.raw(raise(code)))
        return runs
      }),
    )
    expect(result).toBe(3)
    expect(await deeds()).toEqual(['run 3'])
  })

  it('are not for what only says that it has a cause, nor for other errors of the server', async () => {
    await using scope = open()
    let runs = 0
    const failing = (error: unknown): Promise<unknown> =>
      scope.transaction({ retries: 2 }, async (sql) => {
        runs += 1
        await sql`select 1`
        throw error
      })
    const others = [
      new Error('mine', { cause: { code: '40001' } }),
      new Error('mine', { cause: Object.assign(new Error('its'), { code: '23505' }) }),
    ]
    for (const error of others) await expect(failing(error)).rejects.toBe(error)
    expect(runs).toBe(others.length)
  })

  it('are over for a client that leaves before the next one', async () => {
    const controller = new AbortController()
    await using scope = open(controller.signal)
    let runs = 0
    const leaving = scope.transaction({ retries: 5 }, async (sql) => {
      runs += 1
      await sql`insert into deeds values ('never')`
      return sql.unsafe(raise('40001')).catch((error: unknown) => {
        // Comes while the next run is waited for, whose timer is made behind this one and is no shorter.
        setTimeout(() => controller.abort(), 0)
        throw error
      })
    })
    await expect(leaving).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(runs).toBe(1)
    expect(await deeds()).toEqual([])
  })
})
