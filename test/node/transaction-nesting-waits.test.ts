import { Kysely, PostgresDialect } from 'kysely'
import { createDatabase, type Scope } from 'nullpool'
import { kyselyPool } from 'nullpool/kysely'
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { honoBed } from '../support/hono-bed.ts'
import { useDeeds } from '../support/use-deeds.ts'

const { pgbouncer } = inject('servers')

/** What is opened by one test and awaited by another part of it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

const kysely = (scope: Scope): Kysely<{ deeds: { name: string } }> =>
  new Kysely({ dialect: new PostgresDialect({ pool: kyselyPool(scope) }) })

describe.skipIf(!pgbouncer)('waiting for a savepoint', () => {
  const bed = useDeeds()
  const open = (): Scope =>
    createDatabase({
      url: bed.url(pgbouncer ?? bed.servers.postgres),
      pooler: 'pgbouncer',
      queryTimeoutMs: 5_000,
    }).scope()
  const deeds = (): Promise<unknown[]> => bed.deeds()

  it('a statement that waits for a savepoint in vain says so, and the transaction goes on', async () => {
    await using scope = createDatabase({
      url: bed.url(pgbouncer ?? bed.servers.postgres),
      pooler: 'pgbouncer',
      queryTimeoutMs: 3_000,
    }).scope()
    await scope.transaction(async (sql) => {
      const inside = gate()
      const goOn = gate()
      const nested = scope.transaction(async (inner) => {
        await inner`select 1`
        inside.open()
        // As long as something happens in it, the transaction is not idle.
        const busy = setInterval(() => void inner`select 1`.catch(() => undefined), 50)
        await goOn.opened
        clearInterval(busy)
      })
      await inside.opened
      const waiting = sql`insert into deeds values ('in vain')`
      await expect(waiting).rejects.toMatchObject({ code: 'ERR_TRANSACTION_WAIT' })
      goOn.open()
      await nested
    })
    expect(await deeds()).toEqual([])
  })

  it('what waits hears of a lost connection at once', async () => {
    await using scope = open()
    const inside = gate()
    let waiting: Promise<unknown> | undefined
    const whole = scope.transaction(async (sql) => {
      const [row] = await sql`select pg_backend_pid() as pid`
      const never = gate()
      const nested = scope.transaction(async (inner) => {
        await inner`select 1`
        inside.open()
        await never.opened
      })
      nested.catch(() => undefined)
      await inside.opened
      waiting = sql`select 2`.catch((error: unknown) => error)
      await bed.sql`select pg_terminate_backend(${row?.pid}, 5000)`
      await nested
    })
    await expect(whole).rejects.toMatchObject({ outcome: 'rolled back' })
    expect(await waiting).toMatchObject({ outcome: 'rolled back' })
  })

  it('commits behind a statement that was cancelled', async () => {
    await using scope = open()
    await scope.transaction(async (sql) => {
      const stopped = sql.savepoint((inner) =>
        scope.abortable(inner`select pg_sleep(20)`, AbortSignal.timeout(50)),
      )
      await expect(stopped).rejects.toMatchObject({ code: 'ERR_ABORTED' })
      const done = sql`select 1`
      await done
      done.cancel()
      await sql`insert into deeds values ('after')`
    })
    expect(await deeds()).toEqual(['after'])
  })

  it('transactions of Kysely inside and beside take turns with the others', async () => {
    await using scope = open()
    await scope.transaction(async () => {
      const db = kysely(scope)
      const insert = (name: string): Promise<unknown> =>
        db.transaction().execute((trx) => trx.insertInto('deeds').values({ name }).execute())
      await Promise.all([
        scope.transaction(async (sql) => {
          await sql`select 1`
          await insert('inside')
        }),
        insert('beside'),
      ])
    })
    expect(await deeds()).toEqual(['beside', 'inside'])
  })
})

describe.skipIf(!pgbouncer)(
  'savepoints of several clients in a request that is a transaction',
  () => {
    const bed = honoBed()
    beforeAll(async () => {
      await bed.database.sql`create table deeds (name text)`
    })
    afterEach(async () => {
      await bed.database.sql`truncate deeds`
    })
    const handle = async (
      work: (db: Scope) => Promise<unknown>,
      queryTimeoutMs = 20_000,
    ): Promise<unknown> => {
      const options = { transaction: true, pooler: 'pgbouncer', queryTimeoutMs } as const
      const app = bed.app(options).get('/', async (c) => {
        await work(c.var.db)
        return c.text('done')
      })
      expect((await bed.get(app)).status).toBe(200)
      return (await bed.database.sql`select name from deeds order by 1`).map(({ name }) => name)
    }
    const insert = (db: Kysely<{ deeds: { name: string } }>, name: string): Promise<unknown> =>
      db.insertInto('deeds').values({ name }).execute()

    it('another client’s statement in a savepoint that fails is rolled back with it', async () => {
      const kept = await handle(async (db) => {
        const other = kysely(db)
        const failing = db.transaction(async (sql) => {
          await sql`select 1`
          await Promise.all([insert(other, 'inside'), Promise.reject(new Error('on purpose'))])
        })
        await expect(failing).rejects.toThrow('on purpose')
      })
      expect(kept).toEqual([])
    })

    it('what is started in a savepoint and comes behind its end is refused, and not committed', async () => {
      let late: Promise<unknown> | undefined
      const kept = await handle(async (db) => {
        const failing = db.transaction(async (sql) => {
          await sql`select 1`
          late = insert(kysely(db), 'late').catch((error: unknown) => error)
          throw new Error('on purpose')
        })
        await expect(failing).rejects.toThrow('on purpose')
        await late
      })
      expect(await late).toMatchObject({ code: 'ERR_TRANSACTION_OVER' })
      expect(kept).toEqual([])
    })

    it.each([0, 1, 2, 3, 5, 8, 13])(
      'a statement of a client that has yet to connect is no part of a savepoint that begins %d turns later',
      async (turns) => {
        const kept = await handle(async (db) => {
          await db.sql`select 1`
          const inserting = insert(kysely(db), 'outer')
          for (let turn = 0; turn < turns; turn += 1) await undefined
          const failing = db.transaction(async (sql) => {
            await sql`select 2`
            await new Promise((resolve) => setTimeout(resolve, 20))
            throw new Error('on purpose')
          })
          const results = await Promise.allSettled([inserting, failing])
          expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
        })
        expect(kept).toEqual(['outer'])
      },
    )

    it('transactions of Kysely inside and beside take turns with the others', async () => {
      const kept = await handle(async (db) => {
        const within = (name: string): Promise<unknown> =>
          kysely(db)
            .transaction()
            .execute((trx) => trx.insertInto('deeds').values({ name }).execute())
        await Promise.all([
          db.transaction(async (sql) => {
            await sql`select 1`
            await within('inside')
          }),
          within('beside'),
        ])
      })
      expect(kept).toEqual(['beside', 'inside'])
    })

    it('what waits for a transaction of Kysely’s that waits for it hears so in time', async () => {
      const kept = await handle(async (db) => {
        const failing = kysely(db)
          .transaction()
          .execute(async (trx) => {
            await trx.insertInto('deeds').values({ name: 'inside' }).execute()
            // Idle, it would be ended a moment later: on a machine that stands still, together with the wait.
            const busy = setInterval(() => {
              trx
                .selectFrom('deeds')
                .select('name')
                .execute()
                .catch(() => undefined)
            }, 50)
            try {
              await db.sql`insert into deeds values ('outside')`
            } finally {
              clearInterval(busy)
            }
          })
        await expect(failing).rejects.toMatchObject({ code: 'ERR_TRANSACTION_WAIT' })
      }, 3_000)
      expect(kept).toEqual([])
    })
  },
)
