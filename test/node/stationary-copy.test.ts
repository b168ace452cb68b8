import { once } from 'node:events'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Pool, PoolScope } from 'nullpool/stationary'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { usePoolBed } from '../support/pool-bed.ts'

const WHOSE: readonly [string, (pool: Pool) => PoolScope][] = [
  ['of a pool', (pool) => pool],
  ['of a pool under claims', (pool) => pool.as({ sub: 'me', role: 'authenticated' })],
]

/** A pool waits for this long only for what never ends. */
const PATIENT = { poolSize: 1, maxOverflow: 0, drainTimeoutMs: 600_000 }
/** What comes behind has this long, too, on a machine that may stand still for a moment. */
const SHORT = { ...PATIENT, queryTimeoutMs: 2_500, closeTimeoutMs: 2_500 }

describe.each(WHOSE)('a COPY %s', (_whose, scopeOf) => {
  const bed = usePoolBed(`
    do $$ begin create role authenticated nologin;
    exception when duplicate_object or unique_violation then null; end $$;
    grant authenticated to current_user;
    create table copied (n int);
    create table only_one (n int primary key);
    create table referring (n int references only_one deferrable initially deferred);
    grant all on copied, referring to authenticated`)
  beforeEach(() => bed.database.sql`truncate copied`)

  const copied = async (): Promise<number[]> =>
    (await bed.database.sql`select n from copied order by n`).map(({ n }) => n)

  const LONG = "copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout"

  it('takes rows, also while the pool is being closed', async () => {
    const pool = bed.open(PATIENT)
    const { sql } = scopeOf(pool)
    for (const n of [1, 2]) {
      const rows = await sql`copy copied from stdin`.writable()
      const closed = once(rows, 'close')
      rows.write(`${n}\n`)
      const closing = n === 2 ? pool.close() : undefined
      rows.end(`${n + 2}\n`)
      await closed
      await closing
    }
    expect(await copied()).toEqual([1, 2, 3, 4])
  })

  it.each([1, 100_000])('gives its rows (%d)', async (count) => {
    const { sql } = scopeOf(bed.open(PATIENT))
    const [row] = await sql`select current_user as name`
    const text = `copy (select current_user from generate_series(1, ${count})) to stdout`
    let bytes = 0
    for await (const chunk of await sql.unsafe(text).readable()) bytes += chunk.length
    expect(bytes).toBe(count * `${row?.name}\n`.length)
    expect(await sql`select 1 as n`).toEqual([{ n: 1 }])
  })

  it('that is wrong fails alone', async () => {
    const { sql } = scopeOf(bed.open(PATIENT))
    const rows = await sql`copy copied from stdin`.writable()
    const failed = once(rows, 'error')
    rows.end('not a number\n')
    expect(await failed).toMatchObject([{ code: '22P02' }])
    expect(await sql`select 1 as n`).toEqual([{ n: 1 }])
    expect(await copied()).toEqual([])
  })

  it('that its transaction takes back when it ends fails with it, whatever else is said', async () => {
    const { sql } = scopeOf(bed.open(PATIENT))
    const rows = await sql`copy referring from stdin`.writable()
    const finished = vi.fn()
    rows.on('finish', finished)
    const failed = once(rows, 'error')
    rows.end('7\n')
    expect(await failed).toMatchObject([{ code: '23503' }])
    expect(finished).not.toHaveBeenCalled()
    expect(await sql`select 1 as n`).toEqual([{ n: 1 }])
  })

  const gone = new Error('The client has gone.')
  const READERS: Record<string, (rows: AsyncIterable<unknown>) => Promise<void>> = {
    'left by its loop': async (rows) => {
      for await (const _ of rows) break
    },
    'broken by its reader': async (rows) => {
      const reader = new Writable({ write: (_chunk, _encoding, done) => done(gone) })
      await expect(pipeline(rows, reader)).rejects.toBe(gone)
    },
  }

  it.each(Object.entries(READERS))('%s is over for everybody', async (_how, read) => {
    const pool = bed.open(SHORT)
    const { sql } = scopeOf(pool)
    await read(await sql.unsafe(LONG).readable())
    for (let n = 0; n < 3; n += 1) expect(await sql`select 1 as n`).toEqual([{ n: 1 }])
    await pool.close()
    expect(pool.stats).toMatchObject({ size: 0 })
  })

  it('whose writer says no more takes no effect and is over for everybody', async () => {
    const pool = bed.open(SHORT)
    const { sql } = scopeOf(pool)
    const rows = await sql`copy copied from stdin`.writable()
    const failed = once(rows, 'error')
    rows.write('1\n')
    expect(await failed).toMatchObject([{ code: 'ERR_STREAM_IDLE' }])
    for (let n = 0; n < 3; n += 1) expect(await sql`select 1 as n`).toEqual([{ n: 1 }])
    await pool.close()
    expect(await copied()).toEqual([])
  })

  it('behind a cursor that was left early has a connection', async () => {
    const { sql } = scopeOf(bed.open(PATIENT))
    for await (const _ of sql`select generate_series(1, 100)`.cursor(10)) break
    let bytes = 0
    for await (const chunk of await sql.unsafe('copy (select 1) to stdout').readable())
      bytes += chunk.length
    expect(bytes).toBe('1\n'.length)
  })
})
