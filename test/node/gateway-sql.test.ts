import { type NeonQueryFunction, neon, neonConfig, Pool } from '@neondatabase/serverless'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { RUNTIMES, type RunningGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer).each(RUNTIMES)('neon() through the gateway on %s', (_name, start) => {
  let bed: TestDatabase
  let gateway: RunningGateway
  let sql: NeonQueryFunction<false, false>
  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    await bed.sql`create table books (id int generated always as identity primary key, title text not null unique, tags text[])`
    gateway = await start({ targets: [`${pgbouncer.host}:${pgbouncer.port}`] })
    neonConfig.fetchEndpoint = `http://${gateway.host}/sql`
    sql = neon(bed.url(pgbouncer), { authToken: TOKEN })
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  it('runs one statement', async () => {
    expect(await sql`select 1 as one, 'x' as text, null as nothing`).toEqual([
      { one: 1, text: 'x', nothing: null },
    ])
  })

  it('binds values', async () => {
    const when = new Date('2026-11-24T12:00:00.000Z')
    const rows = await sql`select ${41}::int + 1 as sum, ${['a', 'b"\\']}::text[] as list,
      ${{ a: [1, null] }}::jsonb as json, ${when}::timestamptz as moment, ${null}::text as nothing,
      ${Buffer.from([0, 1, 255])} as bytes, ${"O'Neil; drop table books"}::text as text, ${true}::bool as flag`
    expect(rows).toEqual([
      {
        sum: 42,
        list: ['a', 'b"\\'],
        json: { a: [1, null] },
        moment: when,
        nothing: null,
        bytes: Buffer.from([0, 1, 255]),
        text: "O'Neil; drop table books",
        flag: true,
      },
    ])
  })

  it('gives full results, as lists too', async () => {
    const full = await sql.query('select 1::int8 as big, $1::text as text', ['x'], {
      fullResults: true,
    })
    expect(full).toMatchObject({
      command: 'SELECT',
      rowCount: 1,
      rowAsArray: false,
      rows: [{ big: '1', text: 'x' }],
    })
    expect((full as unknown as { fields: unknown }).fields).toEqual([
      expect.objectContaining({ name: 'big', dataTypeID: 20, dataTypeSize: 8, format: 'text' }),
      expect.objectContaining({ name: 'text', dataTypeID: 25, dataTypeSize: -1 }),
    ])
    const lists = await sql.query('select 1 as a, 2 as a', [], { arrayMode: true })
    expect(lists).toEqual([[1, 2]])
  })

  it('tells what a command was and how many rows it was about', async () => {
    const add = await sql.query(
      'insert into books (title, tags) values ($1, $2), ($3, null)',
      ['Dune', ['a'], 'Emma'],
      { fullResults: true },
    )
    expect(add).toMatchObject({ command: 'INSERT', rowCount: 2, rows: [], fields: [] })
    expect(
      await sql.query('update books set tags = null', [], { fullResults: true }),
    ).toMatchObject({ command: 'UPDATE', rowCount: 2 })
    expect(await sql.query('create table more (id int)', [], { fullResults: true })).toMatchObject({
      command: 'CREATE',
      rowCount: null,
    })
    expect(await sql.query('', [], { fullResults: true })).toMatchObject({ command: '', rows: [] })
  })

  it('tells where a column comes from', async () => {
    const [table] = await bed.sql`select 'books'::regclass::oid::int as id`
    const result = await sql.query('select title from books', [], { fullResults: true })
    expect((result as unknown as { fields: unknown }).fields).toEqual([
      expect.objectContaining({ tableID: table?.id, columnID: 2, dataTypeModifier: -1 }),
    ])
  })

  it('runs several in a transaction', async () => {
    const [isolation, writes, waits, count] = await sql.transaction(
      [
        sql`select current_setting('transaction_isolation') as level`,
        sql`select current_setting('transaction_read_only') as "readOnly"`,
        sql`select current_setting('transaction_deferrable') as deferrable`,
        sql`select ${1}::int as one`,
      ],
      { isolationLevel: 'Serializable', readOnly: true, deferrable: true },
    )
    expect([isolation, writes, waits, count]).toEqual([
      [{ level: 'serializable' }],
      [{ readOnly: 'on' }],
      [{ deferrable: 'on' }],
      [{ one: 1 }],
    ])
  })

  it('repeats how a transaction began in the headers of its answer, and of nothing else', async () => {
    const headersOf = async (body: object, asked: Record<string, string>): Promise<object> => {
      const { status, headers } = await fetch(`http://${gateway.host}/sql`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${TOKEN}`,
          'neon-connection-string': bed.url(pgbouncer ?? bed.servers.postgres),
          ...asked,
        },
        body: JSON.stringify(body),
      })
      expect(status).toBe(200)
      return Object.fromEntries([...headers].filter(([name]) => name.startsWith('neon-')))
    }
    const asked = {
      'neon-batch-isolation-level': 'Serializable',
      'neon-batch-read-only': 'true',
      'neon-batch-deferrable': 'true',
    }
    const statement = { query: 'select 1', params: [] }
    expect(await headersOf({ queries: [statement] }, asked)).toEqual(asked)
    const writing = { 'neon-batch-read-only': 'false', 'neon-batch-deferrable': 'false' }
    expect(await headersOf({ queries: [statement] }, writing)).toEqual({})
    expect(await headersOf(statement, asked)).toEqual({})
  })

  it.each(['ReadUncommitted', 'ReadCommitted', 'RepeatableRead', 'Serializable'] as const)(
    'begins it as %s',
    async (isolationLevel) => {
      const level = sql`select current_setting('transaction_isolation') as level`
      const [rows] = await sql.transaction([level], { isolationLevel })
      const words = isolationLevel.replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase()
      expect(rows).toEqual([{ level: words }])
    },
  )

  it('keeps all of a transaction or nothing', async () => {
    const failing = sql.transaction([
      sql`insert into books (title) values ('Kim')`,
      sql`insert into books (title) values ('Kim')`,
      sql`select 1`,
    ])
    await expect(failing).rejects.toMatchObject({
      name: 'NeonDbError',
      code: '23505',
      severity: 'ERROR',
      constraint: 'books_title_key',
      table: 'books',
      schema: 'public',
      detail: 'Key (title)=(Kim) already exists.',
      message: expect.stringContaining('duplicate key'),
    })
    expect(await sql`select 1 from books where title = 'Kim'`).toEqual([])
    await sql.transaction([sql`insert into books (title) values ('Kim')`])
    expect(await sql`select 1 as one from books where title = 'Kim'`).toEqual([{ one: 1 }])
  })

  it('refuses to write in a transaction that reads', async () => {
    const failing = sql.transaction([sql`insert into books (title) values ('Ulysses')`], {
      readOnly: true,
    })
    await expect(failing).rejects.toMatchObject({ code: '25006' })
  })

  it('passes on what the server says of a statement', async () => {
    await expect(sql`selekt 1`).rejects.toMatchObject({
      code: '42601',
      position: '1',
      routine: 'scanner_yyerror',
      message: 'syntax error at or near "selekt"',
    })
    await expect(sql`select 1; select 2`).rejects.toMatchObject({ code: '42601' })
    await expect(sql`select ${'x'}::int`).rejects.toMatchObject({ code: '22P02' })
    await expect(sql`select ${'a\0b'}::text`).rejects.toMatchObject({ code: '22021' })
    await expect(sql`do $$ begin raise 'no' using hint = 'yes' ; end $$`).rejects.toMatchObject({
      hint: 'yes',
      where: expect.stringContaining('PL/pgSQL'),
    })
  })

  it('tells JSON that is deeper than a runtime reads, once its transaction is committed', async () => {
    if (!pgbouncer) throw new Error('PgBouncer is not installed')
    const deep = "(repeat('[', 4000) || repeat(']', 4000))::json as deep"
    const insert = "insert into books (title) values ('Deep') returning"
    const response = await fetch(`http://${gateway.host}/sql`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'neon-connection-string': bed.url(pgbouncer),
      },
      body: JSON.stringify({ queries: [{ query: `${insert} ${deep}`, params: [] }] }),
    })
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'application/json',
    ])
    expect(await response.text()).toContain(`{"deep":${'['.repeat(4000)}]`)
    expect(await sql`select 1 as one from books where title = 'Deep'`).toEqual([{ one: 1 }])
  })

  it('refuses what needs a session', async () => {
    await expect(sql`listen news`).rejects.toMatchObject({
      name: 'NeonDbError',
      code: 'ERR_SESSION_STATE',
      hint: expect.any(String),
    })
    await expect(sql`set statement_timeout = 1`).rejects.toMatchObject({
      code: 'ERR_SESSION_STATE',
    })
    const [, rows] = await sql.transaction([
      sql`set local statement_timeout = '7s'`,
      sql`select current_setting('statement_timeout') as value`,
    ])
    expect(rows).toEqual([{ value: '7s' }])
  })

  it('has no COPY', async () => {
    await expect(sql`copy books from stdin`).rejects.toMatchObject({ code: '0A000' })
    await expect(sql`copy books to stdout`).rejects.toMatchObject({ code: '0A000' })
  })

  it('says what is wrong with a login', async () => {
    if (!pgbouncer) throw new Error('PgBouncer is not installed')
    const wrong = neon(bed.url(pgbouncer, { password: 'wrong-password' }), { authToken: TOKEN })
    const error = await wrong`select 1`.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({
      name: 'NeonDbError',
      message: expect.stringContaining('The server refused user or password.'),
    })
    expect(String(error)).not.toContain('wrong-password')
  })

  it('serves many at once and leaves no connection behind', async () => {
    const all = Array.from({ length: 20 }, (_, n) => sql`select ${n}::int as n`)
    expect(await Promise.all(all)).toEqual(Array.from({ length: 20 }, (_, n) => [{ n }]))
    await expect.poll(() => bed.pooledClients()).toBe(0)
    await expect.poll(() => bed.idleInTransaction()).toBe(0)
  })

  it('is asked for port 5432 by poolQueryViaFetch, whatever the connection string says', async () => {
    if (!pgbouncer) throw new Error('PgBouncer is not installed')
    neonConfig.fetchEndpoint = `http://${gateway.host}/sql?token=${TOKEN}`
    neonConfig.poolQueryViaFetch = true
    try {
      const pool = new Pool({ connectionString: bed.url(pgbouncer) })
      await expect(pool.query('select $1::int as n', [7])).rejects.toThrow(
        'The gateway does not serve 127.0.0.1:5432.',
      )
      await pool.end()
    } finally {
      neonConfig.poolQueryViaFetch = false
      neonConfig.fetchEndpoint = `http://${gateway.host}/sql`
    }
  })
})
