import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** More than an isolate remembers. */
const MANY = 1_100

/** The same text: a number in `a`, JSON in `b`. */
const VALUES = 'select v from t where v = $1'

const PLACES = `
  create table users (id int, role text, temp text);
  create table temp (role text);
  create schema a create table t (v int);
  create schema b create table t (v jsonb);
  insert into a.t values (7);
  insert into b.t values ('{"x":1}');`

describe.each([
  ['PgBouncer', pgbouncer],
  ['Postgres', postgres],
] as const)('what statements mean, on %s', (_name, target) => {
  describe.skipIf(!target)('counted in round trips', () => {
    let bed: TestDatabase
    let proxy: CountingProxy
    beforeAll(async () => {
      bed = await createTestDatabase()
      await bed.sql.unsafe(PLACES)
      proxy = await startCountingProxy({ target: target ?? postgres })
    })
    afterEach(async () => {
      await proxy.until(({ connections }) => connections.every(({ open }) => !open))
      proxy.reset()
    })
    afterAll(async () => {
      await proxy.stop()
      await bed[Symbol.asyncDispose]()
    })
    const connect = (options: DatabaseOptions = {}): Scope =>
      createDatabase({ url: bed.url(proxy), guard: 'off', ...options }).scope()
    const trips = async (work: () => Promise<unknown>): Promise<number> => {
      const { turns } = proxy
      await work()
      return proxy.turns - turns
    }

    it.each([
      ['update users set role = $1 where id = $2', ['admin', 1]],
      ['insert into temp (role) values ($1)', ['x']],
      ['select temp, role from users where id = $1 -- reset role', [1]],
      ["select 'set search_path = b' as x, $1::int as y /* discard all */", [1]],
      ["select set_config('app.x', $1, true)", ['x']],
      [
        "select set_config('request.jwt.claims', $1, true), set_config('app.y', 'role', true)",
        [''],
      ],
      ['select n.nspname as schema from pg_namespace n where n.nspname = $1', ['temp']],
    ])('take one trip once known, and two in a transaction: %s', async (text, values) => {
      await using scope = connect()
      const { sql } = scope
      const run = () => sql.unsafe(text, values)
      await run()
      expect(await trips(run)).toBe(1)
      expect(await trips(run)).toBe(1)
      const inTransaction = () => sql.begin((tx) => tx.unsafe(text, values))
      expect(await trips(inTransaction)).toBe(2)
      expect(await trips(inTransaction)).toBe(2)
      await scope.close()
      await using other = connect()
      await other.sql`select 1`
      expect(await trips(() => other.sql.unsafe(text, values))).toBe(1)
    })

    it('is known of a statement that changes what others mean, as long as nothing has changed', async () => {
      const changes = "select set_config('search_path', $1, true)"
      for (let request = 0; request < 3; request += 1) {
        await using scope = connect()
        const { sql } = scope
        await sql`select 1`
        for (let n = 0; n < 3; n += 1) {
          const first = request + n === 0 ? 1 : 0
          const run = () => sql.begin((tx) => tx.unsafe(changes, ['b']))
          expect(await trips(run)).toBe(2 + first)
          expect(await trips(() => sql.unsafe(changes, ['a']))).toBe(1)
        }
      }
    })

    it('is asked anew behind a change, and as before behind its transaction', async () => {
      await using scope = connect()
      const { sql } = scope
      const find = (tx: Pick<typeof sql, 'unsafe'>, value: unknown) =>
        tx.unsafe(VALUES, [value as never])
      await sql.begin(async (tx) => {
        await tx.unsafe('set local search_path = a')
        expect(await find(tx, 7)).toEqual([{ v: 7 }])
        await tx.unsafe('set local search_path = b')
        expect(await find(tx, { x: 1 })).toEqual([{ v: { x: 1 } }])
        expect(await trips(() => find(tx, { x: 1 }))).toBe(1)
        await tx
          .savepoint(async (inner) => {
            await inner.unsafe("select set_config('search_path', $1, true)", ['a'])
            expect(await find(inner, 7)).toEqual([{ v: 7 }])
            throw new Error('back')
          })
          .catch(() => undefined)
        expect(await find(tx, { x: 1 })).toEqual([{ v: { x: 1 } }])
        await tx.unsafe('create temp table t (v text) on commit drop')
        await tx.unsafe('set local search_path = pg_temp')
        await tx.unsafe("insert into t values ('7')")
        expect(await find(tx, '7')).toEqual([{ v: '7' }])
      })
      await expect(find(sql, 7)).rejects.toMatchObject({ code: '42P01' })
    })

    it.each([
      ['a text that looks like a change', 'update users set role = $1 where id = $2', ['x', 1]],
      ['a change', "select set_config('search_path', $1, true), $2::int", ['b', 1]],
    ])(`is remembered behind ${MANY} times %s`, async (_what, text, values) => {
      const known = () => scope.sql`select ${1}::int as known`
      await using scope = connect()
      await known()
      await scope.sql.begin(async (tx) => {
        for (let n = 0; n < MANY; n += 1) {
          await tx.unsafe(text, values)
        }
      })
      expect(await trips(known)).toBe(1)
    })

    it(`is remembered behind ${MANY} statements that were told behind changes`, async () => {
      const known = () => scope.sql`select ${1}::int as known`
      await using scope = connect()
      await known()
      await scope.sql.begin(async (tx) => {
        for (let n = 0; n < MANY; n += 1) {
          await tx.unsafe(`set local search_path = ${n % 2 ? 'a' : 'b'}`)
          await tx`select ${n}::int as n`
        }
      })
      expect(await trips(known)).toBe(1)
    })
  })
})

describe.each(['supavisor', 'postgres'] as const)('a login’s search path, pooler %s', (pooler) => {
  let bed: TestDatabase
  let proxy: CountingProxy
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql.unsafe(PLACES)
    proxy = await startCountingProxy({ target: postgres })
  })
  afterAll(async () => {
    await proxy.stop()
    await bed[Symbol.asyncDispose]()
  })
  const begin = async (path?: string): Promise<Scope> => {
    if (path) await bed.sql.unsafe(`alter database ${bed.name} set search_path = ${path}`)
    return createDatabase({ url: bed.url(proxy), pooler }).scope()
  }
  const find = ({ sql }: Scope, value: unknown) => sql.unsafe(VALUES, [value as never])
  const JSONB = [{ v: { x: 1 } }]

  it('is a part of what is known: statements mean what they mean on that path', async () => {
    for (let round = 0; round < 3; round += 1) {
      {
        await using scope = await begin('a')
        await scope.sql`select 1`
        const { turns } = proxy
        expect(await find(scope, 7)).toEqual([{ v: 7 }])
        expect(proxy.turns - turns).toBe(round === 0 ? 2 : 1)
      }
      for (const value of [7, 7]) {
        await using scope = await begin()
        expect(await find(scope, value)).toEqual([{ v: value }])
      }
      {
        await using scope = await begin('b')
        await scope.sql`select 1`
        const { turns } = proxy
        expect(await find(scope, { x: 1 })).toEqual(JSONB)
        expect(proxy.turns - turns).toBe(round === 0 ? 2 : 1)
      }
      await using scope = await begin()
      expect(await find(scope, { x: 1 })).toEqual(JSONB)
    }
  })

  it('that has changed meets the first flight of one request, and no more', async () => {
    {
      await using scope = await begin('a')
      await scope.sql`select 1`
      await find(scope, 7)
    }
    {
      await using scope = await begin('b')
      await expect(find(scope, { x: 1 })).rejects.toMatchObject({ code: '22P02' })
      expect(await find(scope, { x: 1 })).toEqual(JSONB)
    }
    await using scope = await begin()
    expect(await find(scope, { x: 1 })).toEqual(JSONB)
  })

  it('is known from the first login on, so that one statement a request is enough', async () => {
    const text = 'select v from t where v::text <> $1'
    const turns: number[] = []
    for (let request = 0; request < 3; request += 1) {
      await using scope = await begin()
      const before = proxy.turns
      await scope.sql.unsafe(text, ['9'])
      turns.push(proxy.turns - before)
    }
    expect(turns[1]).toBe((turns[0] ?? 0) - 1)
    expect(turns[2]).toBe(turns[1])
  })
})
