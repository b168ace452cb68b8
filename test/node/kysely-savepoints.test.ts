import { Hono } from 'hono'
import { type Kysely, sql as raw } from 'kysely'
import type { Scope } from 'nullpool'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { describe, expect, inject, it } from 'vitest'
import { add, KyselyBed } from '../support/kysely-bed.ts'
import type { Library } from '../support/library-schema.ts'

type Db = Kysely<Library>

/** Lets others of the same request come first, by the server's answer to a question of theirs. */
const breathe = async (db: Db, times: number): Promise<void> => {
  for (let n = 0; n < times; n += 1) await raw`select ${n}::int`.execute(db)
}

describe.skipIf(!inject('servers').pgbouncer)('Kysely in a request that is a transaction', () => {
  const bed = new KyselyBed()

  /** The response of a request that is a transaction, once the request is over. */
  async function request(
    work: (db: Db, scope: Scope) => Promise<unknown>,
    options: { queryTimeoutMs?: number } = {},
  ): Promise<unknown> {
    const app = new Hono<{ Variables: NullpoolVariables }>()
      .use(nullpool({ url: bed.url, pooler: 'pgbouncer', transaction: true, ...options }))
      .get('/', async (c) => c.json((await work(bed.on(c.var.db), c.var.db)) ?? null))
    app.onError((error, c) => c.json(String(error), 500))
    const response = await app.request('/')
    await bed.closed()
    return response.json()
  }

  /** A transaction that fails in the end, or does not. */
  const attempt = (db: Db, title: string, fails: boolean, steps: number): Promise<unknown> =>
    db.transaction().execute(async (tx) => {
      await breathe(tx, steps)
      await add(tx, title)
      await breathe(tx, steps)
      if (fails) throw new RangeError('no')
    })

  it.each([
    [0, 0],
    [0, 2],
    [2, 0],
    [3, 3],
  ])('keeps what succeeded and undoes what failed beside it, %i and %i steps', async (one, two) => {
    const states = await request(async (db) => {
      const attempts = [
        attempt(db, 'failed', true, one),
        attempt(db, 'kept', false, two),
        attempt(db, 'failed too', true, one),
        attempt(db, 'kept too', false, one),
      ]
      return (await Promise.allSettled(attempts)).map(({ status }) => status)
    })
    expect(states).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled'])
    expect(await bed.titles()).toEqual(['kept', 'kept too'])
  })

  it('does so too with pools of their own, controlled transactions and names like ours', async () => {
    await request(async (db, scope) => {
      const one = await db.startTransaction().execute()
      const other = attempt(bed.on(scope), 'kept', false, 1)
      await add(one, 'undone')
      const saved = await one.savepoint('kysely').execute()
      await add(saved, 'undone too')
      await saved.rollbackToSavepoint('kysely').execute()
      await one.rollback().execute()
      await other
    })
    expect(await bed.titles()).toEqual(['kept'])
  })

  it('refuses modes, as transaction() does, and goes on', async () => {
    const codes = await request(async (db) => {
      const modes = [
        db.transaction().setIsolationLevel('serializable'),
        db.transaction().setAccessMode('read only'),
        db.transaction().setAccessMode('read write'),
      ]
      const work = async (tx: Db): Promise<unknown> => add(tx, 'refused')
      const refused = await Promise.allSettled(modes.map((each) => each.execute(work)))
      const controlled = db.startTransaction().setIsolationLevel('serializable').execute()
      const all = [...refused, ...(await Promise.allSettled([controlled]))]
      await add(db, 'kept')
      return all.map((each) => each.status === 'rejected' && each.reason.code)
    })
    expect(codes).toEqual(Array(4).fill('ERR_OPTIONS'))
    expect(await bed.titles()).toEqual(['kept'])
  })

  it('rolls back a savepoint alone in which an error was swallowed', async () => {
    const code = await request(async (db) => {
      await add(db, 'one')
      const swallowing = db.transaction().execute(async (tx) => {
        await add(tx, 'undone')
        await add(tx, 'one').catch(() => undefined)
      })
      const error = await swallowing.catch((reason) => reason)
      const tx = await db.startTransaction().execute()
      const saved = await tx.savepoint('here').execute()
      await add(saved, 'one').catch(() => undefined)
      await saved.rollbackToSavepoint('here').execute()
      await add(tx, 'two')
      await tx.commit().execute()
      return error.code
    })
    expect(code).toBe('ERR_TRANSACTION_ROLLED_BACK')
    expect(await bed.titles()).toEqual(['one', 'two'])
  })

  it('does not wait for ever for a transaction that goes on and on', async () => {
    const codes = await request(
      async (db) => {
        const tx = await db.startTransaction().execute()
        let waiting = true
        const behind = attempt(db, 'refused', false, 0)
          .catch((error) => error.code)
          .finally(() => {
            waiting = false
          })
        while (waiting) await breathe(tx, 1)
        await add(tx, 'one')
        await tx.commit().execute()
        await attempt(db, 'two', false, 0)
        return behind
      },
      { queryTimeoutMs: 3_000 },
    )
    expect(codes).toBe('ERR_TRANSACTION_WAIT')
    expect(await bed.titles()).toEqual(['one', 'two'])
  })

  it('ends with the request where a transaction waits for the one in it', async () => {
    const said = await request(
      (db) => db.transaction().execute(() => attempt(db, 'inner', false, 0)),
      // Who waits is told before who is idle, by a tenth of this: a machine that stands still must not eat it.
      { queryTimeoutMs: 5_000 },
    )
    expect(said).toContain('waited 4500 ms for a transaction of the same request')
    expect(await bed.titles()).toEqual([])
  })

  it('is a savepoint of transaction() as well, with no trip to begin and none to commit', async () => {
    await using scope = bed.open()
    const db = bed.on(scope)
    await scope.transaction(async (sql) => {
      await sql`insert into books (title) values ('raw')`
      const { turns } = bed.proxy
      await db.transaction().execute((tx) => raw`select 1`.execute(tx))
      expect(bed.proxy.turns - turns).toBe(1)
      await attempt(db, 'undone', true, 0).catch(() => undefined)
      await attempt(db, 'kept', false, 0)
    })
    expect(await bed.titles()).toEqual(['kept', 'raw'])
  })
})
