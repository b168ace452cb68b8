import type { Pool } from 'nullpool/stationary'
import { beforeEach, describe, expect, it } from 'vitest'
import { usePoolBed } from '../support/pool-bed.ts'
import { FrameTracker } from '../support/wire-messages.ts'

describe('statements that have a name on their connection', () => {
  const bed = usePoolBed()
  beforeEach(async () => {
    await bed.database.sql.unsafe(
      'drop table if exists books; create table books (id int, title text)',
    )
  })

  /** What the clients send from now on, a letter for each message. */
  function watch(): () => string {
    const trackers = new Map<number, FrameTracker>()
    let sent = ''
    bed.proxy.inject({
      when({ connection, direction, bytes }) {
        if (direction === 'down') return undefined
        const tracker = trackers.get(connection) ?? new FrameTracker()
        trackers.set(connection, tracker)
        for (const { tag } of tracker.push(bytes)) sent += tag
        return undefined
      },
    })
    return () => sent
  }

  const names = async (pool: Pool): Promise<number> => {
    const rows = await pool.sql.unsafe('select count(*)::int as n from pg_prepared_statements')
    return rows[0]?.n as number
  }

  const one = { poolSize: 1, maxOverflow: 0 }

  it('are parsed once, with and without values, alone, in transactions and under claims', async () => {
    const pool = bed.open({ ...one, roles: ['postgres'], anonymousRole: 'postgres' })
    const work = async (): Promise<void> => {
      expect(await pool.sql`select ${1}::int as n`).toEqual([{ n: 1 }])
      expect(await pool.sql`select 'plain' as text`).toEqual([{ text: 'plain' }])
      await pool.transaction(async (sql) => {
        expect(await sql`select ${2}::int as n`).toEqual([{ n: 2 }])
      })
      const [row] = await pool.as({ sub: 'me' }).sql`
        select ${3}::int as n, current_setting('request.jwt.claims')::jsonb->>'sub' as sub`
      expect(row).toEqual({ n: 3, sub: 'me' })
    }
    for (let n = 0; n < 3; n += 1) await work()
    bed.proxy.reset()
    const sent = watch()
    await work()
    expect(sent()).toMatch(/^[^P]*B[^P]*$/)
    expect(bed.proxy.turns).toBe(5)
    expect(await names(pool)).toBeGreaterThanOrEqual(4)
  })

  it('are not named before they come a second time', async () => {
    const pool = bed.open(one)
    for (let n = 0; n < 20; n += 1) await pool.sql.unsafe(`select $1::int + ${n} as once`, [n])
    expect(await names(pool)).toBe(0)
  })

  it('have no names where nobody says that the server keeps them', async () => {
    const pool = bed.open({ ...one, pooler: 'auto' })
    for (let n = 0; n < 4; n += 1) await pool.sql`select ${n}::int`
    expect(await names(pool)).toBe(0)
  })

  it('give way to others, and the server is told', async () => {
    const pool = bed.open({ ...one, statementCacheSize: 3 })
    for (let round = 0; round < 4; round += 1) {
      for (let n = 0; n < 10; n += 1) {
        expect(await pool.sql.unsafe(`select $1::int + ${n} as sum`, [n])).toEqual([{ sum: 2 * n }])
      }
    }
    expect(await names(pool)).toBeLessThanOrEqual(3)
  })

  it('are sent again when their rows have another shape, once and for everybody', async () => {
    const pool = bed.open(one)
    const ask = () => pool.sql`select * from books where id = ${1}`
    const add = (id: number) => pool.sql`insert into books values (${id}, 'Dune') returning *`
    for (const id of [1, 2, 3]) await add(id)
    for (let n = 0; n < 3; n += 1) await ask()
    await bed.database.sql`alter table books add column year int default 1965`
    bed.proxy.reset()
    expect(await add(4)).toEqual([{ id: 4, title: 'Dune', year: 1965 }])
    expect(bed.proxy.turns).toBe(2)
    expect(await ask()).toEqual([{ id: 1, title: 'Dune', year: 1965 }])
    expect(await bed.database.sql`select count(*)::int as n from books`).toEqual([{ n: 4 }])
    await ask()
    bed.proxy.reset()
    await ask()
    expect(bed.proxy.turns).toBe(1)
  })

  it('are sent again under claims, whose settings are made again', async () => {
    const pool = bed.open({ ...one, roles: ['postgres'], anonymousRole: 'postgres' })
    const { sql } = pool.as({ sub: 'me' })
    const ask = () => sql`
      select books.*, current_setting('request.jwt.claims')::jsonb->>'sub' as sub
      from books where id = ${1}`
    await pool.sql`insert into books values (1, 'Dune')`
    for (let n = 0; n < 3; n += 1) await ask()
    await bed.database.sql`alter table books add column year int default 1965`
    expect(await ask()).toEqual([{ id: 1, title: 'Dune', year: 1965, sub: 'me' }])
  })

  it('fail a transaction once when their rows have another shape, and never a second time', async () => {
    const pool = bed.open({ poolSize: 2, maxOverflow: 0 })
    const ask = () => pool.transaction((sql) => sql`select * from books where id = ${1}`)
    await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(ask))
    await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(ask))
    await bed.database.sql`alter table books add column year int`
    await expect(ask()).rejects.toMatchObject({ code: '0A000' })
    await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(ask))
  })

  it('are sent again when the server has lost them, known or not', async () => {
    const pool = bed.open(one)
    const ask = (n: number) => pool.sql`select ${n}::int as n`
    for (let n = 0; n < 3; n += 1) await ask(n)
    await pool.sql.unsafe(`do $$ begin execute 'deallocate all'; end $$`)
    expect(await ask(4)).toEqual([{ n: 4 }])
    for (let n = 0; n < 3; n += 1) await ask(n)
    const reserved = await pool.sql.reserve()
    await reserved`deallocate all`
    expect(await reserved`select ${5}::int as n`).toEqual([{ n: 5 }])
    reserved.release()
    expect(await ask(6)).toEqual([{ n: 6 }])
  })

  it('may fail, in every way, and may be many at once', async () => {
    const pool = bed.open(one)
    for (let n = 0; n < 4; n += 1) {
      await expect(pool.sql`select ${n} from nowhere`).rejects.toMatchObject({ code: '42P01' })
      await expect(pool.sql`select 1 / ${0}::int`).rejects.toMatchObject({ code: '22012' })
      const rows = await pool.transaction((sql) =>
        Promise.all([1, 2, 3, 4, 5].map((m) => sql`select ${m}::int as m`)),
      )
      expect(rows.map(([row]) => row?.m)).toEqual([1, 2, 3, 4, 5])
      const [first, second] = await pool.batch((sql) => [
        sql`select ${n}::int as n`,
        sql`select ${String(n)}::text as text`,
      ])
      expect([first, second]).toEqual([[{ n }], [{ text: String(n) }]])
      for await (const batch of pool.sql`select generate_series(1, ${5}::int) as n`.cursor(2)) {
        expect(batch.length).toBeGreaterThan(0)
      }
    }
  })

  it('mean what the search path says', async () => {
    const pool = bed.open(one)
    await bed.database.sql.unsafe(`
      create schema if not exists other;
      drop table if exists other.books;
      create table other.books (id int, title text, only_here text default 'yes');
      insert into other.books values (1, 'Other'); insert into books values (1, 'Dune')`)
    const here = () => pool.sql`select * from books where id = ${1}`
    const there = () =>
      pool.transaction(
        { settings: { search_path: 'other' } },
        (sql) => sql`select * from books where id = ${1}`,
      )
    for (let n = 0; n < 4; n += 1) {
      expect(await here()).toEqual([{ id: 1, title: 'Dune' }])
      expect(await there()).toEqual([{ id: 1, title: 'Other', only_here: 'yes' }])
    }
  })
})
