import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql as raw } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { Kysely, PostgresDialect, sql as text } from 'kysely'
import { postgresDriver, type TransactionOptions, type TransactionSql } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { kyselyPool } from 'nullpool/kysely'
import postgres from 'postgres'
import { describe, expect, it } from 'vitest'
import { failureOf } from '../support/fault-bed.ts'
import { usePoolBed } from '../support/pool-bed.ts'

describe('a pool runs', () => {
  const bed = usePoolBed(`
    create table notes (id int primary key, owner text default current_setting('request.jwt.claims')::jsonb->>'sub');
    alter table notes enable row level security;
    alter table notes force row level security;
    create policy own on notes using (owner = current_setting('request.jwt.claims')::jsonb->>'sub');
    drop role if exists pool_reader;
    create role pool_reader;
    grant all on notes to pool_reader`)
  const one = { poolSize: 1, maxOverflow: 0, roles: ['pool_reader'], anonymousRole: 'pool_reader' }

  it('statements under claims, each under its own, side by side on the same connections', async () => {
    const pool = bed.open({
      poolSize: 2,
      maxOverflow: 1,
      roles: ['pool_reader'],
      anonymousRole: 'pool_reader',
    })
    const users = Array.from({ length: 20 }, (_, n) => `user-${n}`)
    await Promise.all(
      users.map(async (sub, n) => {
        const own = pool.as({ sub })
        await own.sql`insert into notes (id) values (${n})`
        expect(await own.sql`select owner from notes`).toEqual([{ owner: sub }])
        await own.transaction(async (sql) => {
          expect(await sql`select current_user::text as role`).toEqual([{ role: 'pool_reader' }])
        })
        const [rows] = await own.batch((sql) => [sql`select id from notes`])
        expect(rows).toEqual([{ id: n }])
      }),
    )
    expect(
      await pool.sql`
      select current_user::text as role, current_setting('request.jwt.claims', true) as claims`,
    ).toEqual([{ role: bed.database.servers.postgres.user, claims: '' }])
    expect(() => pool.as({ sub: 'x', role: 'postgres' })).toThrow(
      expect.objectContaining({ code: 'ERR_CLAIMS' }),
    )
  })

  it('a transaction inside of a transaction as a savepoint, and a batch inside as a part of it', async () => {
    const pool = bed.open(one)
    await pool.transaction(async (sql) => {
      await sql`create table inside (n int)`
      await pool.transaction((inner) => inner`insert into inside values (1)`)
      await pool.batch((batch) => [batch`insert into inside values (2)`])
      await pool
        .transaction(async (inner) => {
          await inner`insert into inside values (3)`
          throw new Error('no')
        })
        .catch(() => undefined)
    })
    expect(await pool.sql`select n from inside order by n`).toEqual([{ n: 1 }, { n: 2 }])
  })

  it('a transaction with options that are not there, as a request does', async () => {
    const pool = bed.open(one)
    const work = async (sql: TransactionSql) => [...(await sql`select 1 as n`)]
    // Of somebody who writes no types.
    const options = undefined as unknown as TransactionOptions
    expect(await pool.run({}, (scope) => scope.transaction(options, work))).toEqual([{ n: 1 }])
    expect(await pool.transaction(options, work)).toEqual([{ n: 1 }])
    expect(await pool.as(null).transaction(options, work)).toEqual([{ n: 1 }])
  })

  it('a transaction again after a conflict, and never after its end', async () => {
    const pool = bed.open({ poolSize: 2 })
    await pool.sql`create table counter (n int)`
    await pool.sql`insert into counter values (0)`
    const rise = () =>
      pool.transaction({ isolation: 'serializable', retries: 50 }, async (sql) => {
        const [row] = await sql`select n from counter`
        await sql`update counter set n = ${row?.n + 1}`
        return sql
      })
    const [handle] = await Promise.all(Array.from({ length: 8 }, rise))
    expect(await pool.sql`select n from counter`).toEqual([{ n: 8 }])
    expect(() => handle?.unsafe('select 1')).toThrow(
      expect.objectContaining({ code: 'ERR_TRANSACTION_OVER' }),
    )
  })

  it('what else postgres.js has: files, large objects, descriptions, streams, fragments', async () => {
    const pool = bed.open(one)
    const folder = await mkdtemp(join(tmpdir(), 'nullpool-'))
    try {
      const path = join(folder, 'query.sql')
      await writeFile(path, 'select $1::int as from_file')
      expect(await pool.sql.file(path, [7])).toEqual([{ from_file: 7 }])
      await expect(pool.sql.file(join(folder, 'none.sql'))).rejects.toMatchObject({
        code: 'ENOENT',
      })
    } finally {
      await rm(folder, { recursive: true })
    }
    const large = await pool.sql.largeObject()
    await large.write(Buffer.from('large'))
    await large.close()
    const { columns } = await pool.sql`select 1 as first, 'x' as second`.describe()
    expect(columns.map(({ name }) => name)).toEqual(['first', 'second'])
    const found: number[] = []
    await pool.sql`select generate_series(1, 5) as n`.forEach(({ n }) => {
      found.push(n)
    })
    expect(found).toEqual([1, 2, 3, 4, 5])
    const where = pool.sql`where n > ${2}`
    expect(await pool.sql`select n from generate_series(1, 4) as n ${where}`).toEqual([
      { n: 3 },
      { n: 4 },
    ])
    await expect(pool.sql`select ${undefined as never}`).rejects.toMatchObject({
      code: 'UNDEFINED_VALUE',
    })
    await expect.poll(() => pool.stats).toMatchObject({ size: 1, idle: 1, waiting: 0 })
  })

  it('with the driver that it is given, whose types its connections know', async () => {
    const pool = bed.open({ ...one, driver: postgresDriver({ transform: postgres.camel }) })
    expect(await pool.sql`select 1 as two_words`).toEqual([{ twoWords: 1 }])
    const other = { createClient: postgresDriver().createClient }
    const error = await failureOf(
      Promise.resolve().then(() => bed.open({ driver: other }).sql`select 1`),
    )
    expect(error.code).toBe('ERR_OPTIONS')
  })

  it('Drizzle and Kysely, on a scope of its own', async () => {
    const pool = bed.open(one)
    await pool.run({}, async (scope) => {
      const rows = await drizzle(drizzleClient(scope)).execute(raw`select ${1}::int as n`)
      expect([...rows]).toEqual([{ n: 1 }])
      const db = new Kysely<object>({ dialect: new PostgresDialect({ pool: kyselyPool(scope) }) })
      const result = await db.transaction().execute((tx) => text`select ${2}::int as n`.execute(tx))
      expect(result.rows).toEqual([{ n: 2 }])
    })
    await expect.poll(() => pool.stats).toMatchObject({ size: 1, idle: 1 })
    expect(bed.proxy.connections).toHaveLength(1)
  })

  it('and tells of connections and queries, never of values', async () => {
    const events: object[] = []
    const pool = bed.open({ ...one, onEvent: (event) => events.push(event) })
    await pool.sql`select ${'secret'}::text`
    bed.proxy.cutAll('rst')
    await expect.poll(() => pool.stats.size).toBe(0)
    await pool.sql`select 2`
    await pool.close()
    const types = events.map((event) => ('type' in event ? event.type : ''))
    expect(types).toEqual(['connect', 'query', 'close', 'connect', 'query', 'close'])
    expect(events[2]).toMatchObject({ error: 'ERR_CONNECTION_LOST' })
    expect(events[5]).toEqual({ type: 'close' })
    expect(JSON.stringify(events)).not.toContain('secret')
  })
})
