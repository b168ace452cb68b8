import { isAbortedTransactionError, type Kysely, sql as raw } from 'kysely'
import type { NullpoolError } from 'nullpool'
import { describe, expect, inject, it } from 'vitest'
import { add, KyselyBed } from '../support/kysely-bed.ts'
import type { Library } from '../support/library-schema.ts'

/** Rejections, as they are. */
const errorOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error('Nothing failed.')),
    (error: Error) => error,
  )

describe.skipIf(!inject('servers').pgbouncer)('errors of Kysely on a scope', () => {
  const bed = new KyselyBed()

  it('are those of the server, with the names that pg gives them', async () => {
    await using scope = bed.open()
    const db = bed.on(scope)
    await add(db, 'one')
    const duplicate = { code: '23505', constraint: 'books_title_key', table: 'books' }
    const inTransaction = db.transaction().execute((tx) => add(tx, 'one'))
    for (const failing of [add(db, 'one'), inTransaction]) {
      const error = await errorOf(failing)
      expect(error).toMatchObject({ ...duplicate, schema: 'public', severity: 'ERROR' })
      expect(error).toMatchObject({ name: 'PostgresError', constraint_name: 'books_title_key' })
      expect(error.stack).toContain('duplicate key value')
      // Kysely adds where it was called from.
      expect(error.stack).toContain('PostgresConnection.executeQuery')
    }
    const missing = await errorOf(raw`insert into books (title) values (null)`.execute(db))
    expect(missing).toMatchObject({ code: '23502', column: 'title' })
    const syntax = await errorOf(raw`selec`.execute(db))
    expect(syntax).toMatchObject({ code: '42601', position: '1' })
    await expect(raw`select ${'x'}::int`.execute(db)).rejects.toMatchObject({ code: '22P02' })
  })

  it('end streams', async () => {
    await using scope = bed.open()
    const db = bed.on(scope)
    await bed.database.sql`insert into books (title) select n::text from generate_series(1, 9) as n`
    const read = async (from: Kysely<Library>): Promise<void> => {
      const quotients = from.selectFrom('books').select(raw<number>`1 / (title::int - 7)`.as('n'))
      for await (const { n } of quotients.stream(2)) expect(n).not.toBeNull()
    }
    await expect(read(db)).rejects.toMatchObject({ code: '22012' })
    await expect(db.transaction().execute(read)).rejects.toMatchObject({ code: '22012' })
  })

  it('are found by the retries of transaction(), also within a transaction of Kysely', async () => {
    await using scope = bed.open()
    const db = bed.on(scope)
    await add(db, 'counted')
    for (const code of ['40001', '40P01']) {
      let runs = 0
      const result = await scope.transaction({ retries: 2 }, async () => {
        runs += 1
        return db.transaction().execute(async (tx) => {
          await add(tx, `${code}, run ${runs}`)
          const failure = `do $$ begin raise exception using errcode = '${code}'; end $$`
          if (runs < 3) await raw.raw(failure).execute(tx)
          return runs
        })
      })
      expect(result).toBe(3)
    }
    expect(await bed.titles()).toEqual(['40001, run 3', '40P01, run 3', 'counted'])
  })

  it('say that a transaction was rolled back in which one was swallowed', async () => {
    await using scope = bed.open()
    const db = bed.on(scope)
    await add(db, 'one')
    const swallow = async (tx: Kysely<Library>): Promise<void> => {
      await add(tx, 'undone')
      await add(tx, 'one').catch(() => undefined)
    }
    const error = await errorOf(db.transaction().execute(swallow))
    expect(error).toMatchObject({ code: 'ERR_TRANSACTION_ROLLED_BACK', outcome: 'rolled back' })
    expect(isAbortedTransactionError(error)).toBe(true)
    const controlled = await db.startTransaction().execute()
    await swallow(controlled)
    await expect(controlled.commit().execute()).rejects.toMatchObject({ outcome: 'rolled back' })
    expect(controlled.isRolledBack).toBe(true)
    await controlled.rollback().execute()
    expect(await bed.titles()).toEqual(['one'])
  })

  it('say that nobody knows what became of a COMMIT that was cut before its answer', async () => {
    for (const how of ['fin', 'rst'] as const) {
      for (const title of [`${how}, work`, `${how}, controlled`]) {
        await using scope = bed.open()
        const db = bed.on(scope)
        let sent = false
        const remove = bed.proxy.inject({
          when({ direction, bytes }) {
            sent ||= direction === 'up' && Buffer.from(bytes).includes('commit')
            return sent && direction === 'down' ? { cut: how } : undefined
          },
        })
        const committing = async (): Promise<unknown> => {
          if (title.endsWith('work')) return db.transaction().execute((tx) => add(tx, title))
          const tx = await db.startTransaction().execute()
          await add(tx, title)
          return tx.commit().execute()
        }
        const error = await errorOf(committing())
        remove()
        expect(error).toMatchObject({ outcome: 'unknown', retryable: false })
        expect((error as NullpoolError).code).toMatch(/^ERR_/)
      }
    }
  })

  it('leave a transaction dead whose COMMIT has failed, until it is rolled back', async () => {
    await bed.database.sql`
      create table if not exists later (n int unique deferrable initially deferred)`
    await using scope = bed.open()
    const db = bed.on(scope)
    const tx = await db.startTransaction().execute()
    await raw`insert into later values (1), (1)`.execute(tx)
    await expect(tx.commit().execute()).rejects.toMatchObject({ code: '23505', table: 'later' })
    // Outside of a transaction it would take effect at once.
    await expect(add(tx, 'stray')).rejects.toMatchObject({ code: 'ERR_TRANSACTION_OVER' })
    await expect(tx.commit().execute()).rejects.toMatchObject({ code: 'ERR_TRANSACTION_OVER' })
    await tx.rollback().execute()
    await add(db, 'behind')
    expect(await bed.titles()).toEqual(['behind'])
  })

  it('say that a transaction was rolled back which was cut in the middle of a statement', async () => {
    const cutting = async (work: (db: Kysely<Library>) => Promise<unknown>): Promise<unknown> => {
      await using scope = bed.open()
      const remove = bed.proxy.inject({
        when: ({ direction, bytes }) =>
          direction === 'up' && Buffer.from(bytes).includes('cut here')
            ? { cut: 'rst' }
            : undefined,
      })
      try {
        return await errorOf(bed.on(scope).transaction().execute(work))
      } finally {
        remove()
      }
    }
    const query = await cutting(async (tx) => {
      await add(tx, 'lost')
      await raw`select 'cut here'`.execute(tx)
    })
    const stream = await cutting(async (tx) => {
      await add(tx, 'lost')
      for await (const _ of tx.selectFrom('books').select(raw`'cut here'`.as('n')).stream());
    })
    const lost = { outcome: 'rolled back', code: expect.stringMatching(/^ERR_/) }
    expect([query, stream]).toEqual([expect.objectContaining(lost), expect.objectContaining(lost)])
    expect(await bed.titles()).toEqual([])
  })
})
