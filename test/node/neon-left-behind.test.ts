import { Hono } from 'hono'
import type { Scope } from 'nullpool'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { neonClient, neonPool } from 'nullpool/neon'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')

describe('a client of Neon’s driver in a request that is a transaction', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table marks (n text)`
  })
  beforeEach(() => bed.sql`truncate marks`)
  afterAll(() => bed[Symbol.asyncDispose]())

  /** What the request answers, and what it has left. */
  async function marks(
    work: (db: Scope) => Promise<unknown>,
    queryTimeoutMs = 20_000,
  ): Promise<unknown[]> {
    const app = new Hono<{ Variables: NullpoolVariables }>()
    const options = { pooler: 'postgres', transaction: true, queryTimeoutMs } as const
    app.use(nullpool({ url: bed.url(postgres), ...options }))
    app.get('/', async (c) => c.json((await work(c.var.db)) ?? 'done'))
    app.onError((error, c) => c.text(String(error), 500))
    const answer = await (await app.request('/')).json()
    return [answer, (await bed.sql`select n from marks order by n`).map(({ n }) => n)]
  }

  it('leaves nothing where it is released and the pool ended', async () => {
    const work = async (db: Scope): Promise<void> => {
      const pool = neonPool(db)
      const client = await pool.connect()
      await client.query('begin')
      await client.query("insert into marks values ('left')")
      client.release()
      await pool.end()
    }
    expect(await marks(work)).toEqual(['done', []])
  })

  it('leaves nothing where ROLLBACK is not awaited before end()', async () => {
    const work = async (db: Scope): Promise<void> => {
      const client = neonClient(db)
      await client.query('begin')
      await client.query("insert into marks values ('left')")
      client.query('rollback').catch(() => undefined)
      await client.end()
    }
    expect(await marks(work)).toEqual(['done', []])
  })

  it.each(['select 1', 'begin'])(
    'goes on behind a BEGIN that has waited in vain: %s',
    async (next) => {
      const work = async (db: Scope): Promise<unknown> => {
        const client = neonClient(db)
        const [begun, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
        const other = db.sql.begin(async (sql) => {
          begun.resolve()
          let over = false
          void ended.promise.then(() => {
            over = true
          })
          // Never idle for as long as the limit.
          while (!over) await sql`select pg_sleep(0.05)`
        })
        await begun.promise
        const code = await client.query('begin').catch((error: { code: string }) => error.code)
        ended.resolve()
        await other
        await client.query(next)
        await client.query("insert into marks values ('mine')")
        if (next === 'begin') await client.query('commit')
        return code
      }
      expect(await marks(work, 3_000)).toEqual(['ERR_TRANSACTION_WAIT', ['mine']])
    },
  )

  it('may say ROLLBACK behind a BEGIN that was refused', async () => {
    const work = async (db: Scope): Promise<unknown> => {
      const client = neonClient(db)
      const codes: string[] = []
      const note = (error: { code: string }): void => void codes.push(error.code)
      const failing = db.sql.begin(async (sql) => {
        await sql`select 1 / 0`.catch(note)
        await client.query('begin').catch(note)
        await client.query('rollback').catch(note)
        throw new Error('on purpose')
      })
      await failing.catch(() => undefined)
      return codes
    }
    expect(await marks(work)).toEqual([['22012', '25P02'], []])
  })
})
