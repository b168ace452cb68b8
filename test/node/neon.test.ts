import { Client, Pool, types } from '@neondatabase/serverless'
import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { neonClient, neonPool } from 'nullpool/neon'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { makeLibrary } from '../support/library-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('neonClient() and neonPool()', () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  beforeAll(async () => {
    bed = await createTestDatabase()
    await makeLibrary(bed.sql)
    if (pgbouncer) proxy = await startCountingProxy({ target: pgbouncer })
  })
  afterEach(async () => {
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    proxy.reset()
    await bed.sql`truncate books, authors`
  })
  afterAll(async () => {
    await proxy.stop()
    await bed[Symbol.asyncDispose]()
  })
  const open = (options: DatabaseOptions = {}): Scope =>
    createDatabase({ url: bed.url(proxy), pooler: 'pgbouncer', ...options }).scope()

  it('are Neon’s own, and open nothing where nothing is asked', async () => {
    await using scope = open()
    const client = neonClient(scope)
    const pool = neonPool(scope)
    expect(client).toBeInstanceOf(Client)
    expect(pool).toBeInstanceOf(Pool)
    await client.connect()
    await (await pool.connect()).release()
    await Promise.all([client.end(), pool.end()])
    expect(scope.metrics.connects).toBe(0)
    expect(proxy.connections).toHaveLength(0)
  })

  it('reads every type as pg does', async () => {
    await using scope = open()
    const { rows, rowCount, command, fields } = await neonClient(scope).query(
      `select $1::int as int, $2::bigint as big, $3::numeric as num, $4::float8 as float,
        $5::text as text, $6::jsonb as json, $7::timestamptz as at, $8::bytea as bytes,
        $9::text[] as list, $10::boolean as yes, $11::uuid as id, $12::int as nothing,
        $13::date as day, $14::int[] as numbers, $15::json as array`,
      [
        1,
        9_007_199_254_740_993n,
        '12345678901234567890.5',
        1.5,
        `it's "ünïcödé" 🙂`,
        { a: [1, 'x', null] },
        new Date('2026-01-02T03:04:05.678Z'),
        Buffer.from([0, 255, 92]),
        ['a "b"', 'c,d', '', null],
        false,
        '00000000-0000-4000-8000-000000000001',
        undefined,
        '1965-08-01',
        [1, 2],
        JSON.stringify([1]),
      ],
    )
    expect({ rowCount, command, names: fields.length }).toEqual({
      rowCount: 1,
      command: 'SELECT',
      names: 15,
    })
    expect(rows).toEqual([
      {
        int: 1,
        big: '9007199254740993',
        num: '12345678901234567890.5',
        float: 1.5,
        text: `it's "ünïcödé" 🙂`,
        json: { a: [1, 'x', null] },
        at: new Date('2026-01-02T03:04:05.678Z'),
        bytes: expect.any(Uint8Array),
        list: ['a "b"', 'c,d', '', null],
        yes: false,
        id: '00000000-0000-4000-8000-000000000001',
        nothing: null,
        day: new Date(1965, 7, 1),
        numbers: [1, 2],
        array: [1],
      },
    ])
    expect([...rows[0].bytes]).toEqual([0, 255, 92])
  })

  it('takes whatever pg takes for a query', async () => {
    await using scope = open()
    const client = neonClient(scope)
    const own = { getTypeParser: () => (text: string) => `<${text}>` }
    const arrays = await client.query({ text: 'select $1::int, 2', values: [1], rowMode: 'array' })
    expect(arrays.rows).toEqual([[1, 2]])
    const typed = await client.query({ text: 'select 1 as n', types: own })
    expect(typed.rows).toEqual([{ n: '<1>' }])
    expect((await neonPool(scope, { types: own }).query('select 1 as n')).rows).toEqual([
      { n: '<1>' },
    ])
    expect((await neonClient(scope, { types: own }).query('select 1 as n')).rows).toEqual([
      { n: '<1>' },
    ])
    const several = await client.query('select 1 as n; select 2 as n')
    expect(several).toMatchObject([{ rows: [{ n: 1 }] }, { rows: [{ n: 2 }] }])
    expect(await client.query('')).toMatchObject({ rows: [], command: null })
    class Template {
      readonly values = [3]
      get text(): string {
        return 'select $1::int as n'
      }
    }
    expect((await client.query(new Template())).rows).toEqual([{ n: 3 }])
    const config = { text: 'select $1::int as n' }
    await client.query(config, [1])
    expect(Object.keys(config)).toEqual(['text'])
    expect(() => client.query(undefined as never)).toThrow(TypeError)
    await expect(client.query({} as never)).rejects.toThrow(/text or a name/)
    client.setTypeParser(20, (text) => BigInt(text))
    expect((await client.query('select 5::bigint as n')).rows).toEqual([{ n: 5n }])
    expect(types.builtins.INT8).toBe(20)
  })

  it('calls back, once', async () => {
    await using scope = open()
    const called: unknown[] = []
    const call = (ask: (done: (error: unknown, result?: unknown) => void) => void): Promise<void> =>
      new Promise((resolve) => {
        ask((error, result) => {
          called.push((error as Error)?.message ?? result)
          resolve()
        })
      })
    const client = neonClient(scope)
    const circular: Record<string, unknown> = {}
    circular.itself = circular
    await call((done) => client.connect(done))
    await call((done) => client.query('select 1 as n', done))
    await call((done) => client.query('select $1::int as n', [2], done))
    await call((done) => client.query('select nothing', done))
    await call((done) => client.query('select $1::json as n', [circular], done))
    await call((done) => neonPool(scope).query('select 3 as n', done as never))
    await call((done) => neonPool(scope).connect((error, _, release) => done(error, release())))
    await client.query('select 1')
    expect(called).toMatchObject([
      undefined,
      { rows: [{ n: 1 }] },
      { rows: [{ n: 2 }] },
      'column "nothing" does not exist',
      expect.stringContaining('circular'),
      { rows: [{ n: 3 }] },
      undefined,
    ])
  })

  it('gives errors with everything that the server said', async () => {
    await using scope = open()
    const client = neonClient(scope)
    await client.query(`insert into books (title) values ('one')`)
    await expect(
      client.query('insert into books (title) values ($1)', ['one']),
    ).rejects.toMatchObject({
      code: '23505',
      severity: 'ERROR',
      schema: 'public',
      table: 'books',
      constraint: 'books_title_key',
      detail: 'Key (title)=(one) already exists.',
      routine: '_bt_check_unique',
    })
    await expect(client.query('selec 1')).rejects.toMatchObject({ code: '42601', position: '1' })
    expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
  })

  it('harms no other statement with a value that cannot be made', async () => {
    await using scope = open()
    const client = neonClient(scope)
    const circular: Record<string, unknown> = {}
    circular.itself = circular
    const wrong = [circular, { n: 1n }, { toJSON: () => undefined }]
    const all = await Promise.allSettled([
      client.query('select $1::int as n', [1]),
      ...wrong.map((value) => client.query('select $1::text, $2::jsonb', ['a', value])),
      client.query('select $1::int as n', [2]),
    ])
    expect(all.map(({ status }) => status)).toEqual([
      'fulfilled',
      ...wrong.map(() => 'rejected'),
      'fulfilled',
    ])
    const { turns } = proxy
    await client.query('select $1::jsonb', [circular]).catch(() => undefined)
    expect(proxy.turns).toBe(turns)
    expect((await neonClient(scope).query('select $1::text as t', ['x'])).rows).toEqual([
      { t: 'x' },
    ])
  })

  it('take nothing but a scope', () => {
    for (const wrong of [undefined, {}, { sql: () => 1 }]) {
      expect(() => neonClient(wrong as never)).toThrow(/neonClient\(\) takes a scope/)
      expect(() => neonPool(wrong as never)).toThrow(/neonPool\(\) takes a scope/)
    }
  })
})
