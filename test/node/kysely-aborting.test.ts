import { type Kysely, sql as raw } from 'kysely'
import { describe, expect, inject, it } from 'vitest'
import { KyselyBed } from '../support/kysely-bed.ts'
import type { Library } from '../support/library-schema.ts'

type Strategy = 'cancel query' | 'kill session' | 'ignore query'

/** Longer than the server may be silent, so that whoever waits for it fails. */
const SLEEP = 'select pg_sleep(600)'

describe.skipIf(!inject('servers').pgbouncer)('Kysely with a signal', () => {
  const bed = new KyselyBed()

  /** Aborts a statement that the server is at; gives what its caller is told. */
  async function abort(db: Kysely<Library>, strategy?: Strategy): Promise<unknown> {
    const controller = new AbortController()
    const chosen = strategy ? { inflightQueryAbortStrategy: strategy } : {}
    const sleeping = raw.raw(SLEEP).execute(db, { signal: controller.signal, ...chosen })
    const told = sleeping.catch((error: Error) => error.name)
    await bed.untilRunning(SLEEP, 1)
    controller.abort()
    return told
  }

  it.each(['cancel query', 'kill session'] as const)(
    'stops the statement at the server, and goes on: %s',
    async (strategy) => {
      await using scope = bed.open()
      const db = bed.on(scope)
      await raw`select 1`.execute(db)
      expect(await abort(db, strategy)).toBe('AbortError')
      expect((await raw`select 1 as n`.execute(db)).rows).toEqual([{ n: 1 }])
      await expect.poll(() => bed.running(SLEEP)).toBe(0)
    },
  )

  it.each(['cancel query', 'kill session', 'ignore query', undefined] as const)(
    'stops what a transaction that is rolled back is at, whatever was chosen: %s',
    async (strategy) => {
      await using scope = bed.open()
      const db = bed.on(scope)
      const failing = db.transaction().execute(async (tx) => {
        await raw`insert into books (title) values ('undone')`.execute(tx)
        expect(await abort(tx, strategy)).toBe('AbortError')
        throw new RangeError('aborted')
      })
      await expect(failing).rejects.toThrow(RangeError)
      expect((await raw`select 1 as n`.execute(db)).rows).toEqual([{ n: 1 }])
      await expect.poll(() => bed.running(SLEEP)).toBe(0)
      expect(await bed.titles()).toEqual([])
    },
  )

  it('lets the statement go on, where nobody chose, and others wait behind it', async () => {
    await using scope = bed.open()
    const db = bed.on(scope)
    expect(await abort(db)).toBe('AbortError')
    const behind = raw`select 1 as n`.execute(db)
    expect(await bed.running(SLEEP)).toBe(1)
    await bed.database.sql`
      select pg_cancel_backend(pid) from pg_stat_activity
      where datname = current_database() and query = ${SLEEP}`
    expect((await behind).rows).toEqual([{ n: 1 }])
  })
})
