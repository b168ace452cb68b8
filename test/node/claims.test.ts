import fc from 'fast-check'
import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { claimsOf, makeSupabaseSchema, userId } from '../support/supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

const POOLERS = ['supavisor', 'pgbouncer', 'postgres', 'neon', 'hyperdrive'] as const

describe.each([
  ['Postgres', postgres],
  ['PgBouncer', pgbouncer],
] as const)('as(claims) on %s', (_name, target) => {
  describe.skipIf(!target)('of the test bed', () => {
    let bed: TestDatabase
    let proxy: CountingProxy
    beforeAll(async () => {
      bed = await createTestDatabase()
      await makeSupabaseSchema(bed.sql)
      await bed.sql`
        insert into notes (owner, body, secret) values (${userId(1)}, 'one', true),
          (${userId(2)}, 'two', true), (${userId(3)}, 'three', false)`
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
    const open = (options: DatabaseOptions = {}): Scope =>
      createDatabase({ url: bed.url(proxy), ...options }).scope()

    const bodies = (rows: Iterable<object>): unknown[] =>
      Array.from(rows, (row) => Reflect.get(row, 'body')).sort()

    it('shows everybody what is theirs, side by side and beside the own role', async () => {
      await using scope = open()
      const one = scope.as(claimsOf(1)).sql
      const two = scope.as(claimsOf(2)).sql
      const nobody = scope.as(undefined).sql
      const [ofOne, all, ofTwo, ofNobody] = await Promise.all([
        one`select body, auth.uid() as uid from notes where id > ${0}`,
        scope.sql`select body, current_setting('request.jwt.claims', true) as claims from notes`,
        two.unsafe('select body, current_user as role from notes'),
        nobody`select body, current_user as role, auth.role() as claimed from notes`,
      ])
      expect(bodies(ofOne)).toEqual(['one', 'three'])
      expect(ofOne[0]?.uid).toBe(userId(1))
      expect(bodies(all)).toEqual(['one', 'three', 'two'])
      expect(all[0]?.claims || null).toBe(null)
      expect(bodies(ofTwo)).toEqual(['three', 'two'])
      expect(ofTwo[0]?.role).toBe('authenticated')
      expect(bodies(ofNobody)).toEqual(['three'])
      expect(ofNobody[0]).toMatchObject({ role: 'anon', claimed: 'anon' })
    })

    it('refuses what a policy forbids, and goes on', async () => {
      await using scope = open()
      const { sql } = scope.as(claimsOf(1))
      await expect(
        sql`insert into notes (owner, body) values (${userId(2)}, 'forged')`,
      ).rejects.toMatchObject({ code: '42501' })
      await expect(scope.as(null).sql`delete from notes`).rejects.toMatchObject({ code: '42501' })
      const [row] = await sql`select current_user as role`
      expect(row?.role).toBe('authenticated')
    })

    it('holds for every statement of a transaction, and for savepoints', async () => {
      await using scope = open()
      const someone = scope.as(claimsOf(1), { 'app.tenant': "it's" })
      const seen = await someone.transaction({ settings: { 'my.own': '1' } }, async (sql) => {
        const [first] = await sql`select current_user as role, auth.uid() as uid`
        const inner = await sql.savepoint(
          (point) => point`select current_setting('app.tenant') as tenant`,
        )
        const [last] = await sql`select current_setting('my.own') as own, auth.uid() as uid`
        return { ...first, ...inner[0], ...last }
      })
      expect(seen).toEqual({ role: 'authenticated', uid: userId(1), tenant: "it's", own: '1' })
    })

    it('lasts through a cursor, a simple query of several statements and a COPY', async () => {
      await using scope = open()
      const { sql } = scope.as(claimsOf(1))
      const users: unknown[] = []
      for await (const [row] of sql`select auth.uid() as uid from generate_series(1, 3)`.cursor(1))
        users.push(row?.uid)
      expect(users).toEqual([userId(1), userId(1), userId(1)])
      const [, second] = await sql.unsafe('select 1; select auth.uid() as uid')
      expect((second as unknown as { uid: string }[])[0]?.uid).toBe(userId(1))
      let text = ''
      const stream = await sql`copy (select body from notes order by 1) to stdout`.readable()
      for await (const chunk of stream) text += String(chunk)
      expect(text).toBe('one\nthree\n')
    })

    it.each(POOLERS)('costs what it costs without, with pooler %s', async (pooler) => {
      const options: DatabaseOptions = { pooler, hyperdriveCaching: false }
      await using warm = open(options)
      await warm.sql`select body from notes where id > ${0}`
      await warm.as(claimsOf(1)).sql`select body from notes where id > ${0}`
      const costs = async (choose: (scope: Scope) => Scope): Promise<number[]> => {
        const counts: number[] = []
        for (const work of [
          (scope: Scope) => scope.sql`select body from notes where id > ${0}`,
          (scope: Scope) => scope.sql.unsafe('select body from notes'),
          (scope: Scope) => scope.transaction((sql) => sql`select body from notes where id > ${0}`),
          (scope: Scope) =>
            scope.batch((sql) => [
              sql`select body from notes where id > ${0}`,
              sql`select body from notes`,
            ]),
        ]) {
          const cold = open(options)
          const { turns } = proxy
          await work(choose(cold))
          counts.push(proxy.turns - turns)
          await work(choose(cold))
          counts.push(proxy.turns - turns)
          await cold.close()
          // Its goodbye is a turn, and behind Hyperdrive nobody waits for it.
          await proxy.until(
            ({ connections }) => connections.filter(({ open }) => open).length === 1,
          )
        }
        return counts
      }
      const bare = await costs((scope) => scope)
      expect(await costs((scope) => scope.as(claimsOf(1)))).toEqual(bare)
    })

    it.each([
      { url: 'postgres://user:secret@5a1d.hyperdrive.local:5432/db' },
      { pooler: 'hyperdrive' },
    ] as const)('refuses a Hyperdrive that may cache: %j', async (options) => {
      await using scope = open(options)
      const someone = scope.as(claimsOf(1))
      const refusals = [
        () => someone.sql`select 1`,
        () => someone.transaction((sql) => sql`select 1`),
        () => someone.batch((sql) => [sql`select 1`]),
      ]
      for (const refused of refusals) {
        await expect(async () => refused()).rejects.toMatchObject({
          code: 'ERR_CLAIMS',
          hint: expect.stringContaining('hyperdriveCaching'),
        })
      }
      expect(scope.metrics.connects).toBe(0)
    })

    it('refuses roles before anything is sent', async () => {
      await using scope = open()
      for (const role of [
        'postgres',
        'service_role',
        'authenticated; reset role',
        '"authenticated"',
        'AUTHENTICATED',
        '',
        'none',
        null,
        7,
        ['authenticated'],
        { toString: () => 'authenticated' },
      ]) {
        expect(() => scope.as({ sub: userId(1), role }), String(role)).toThrow(
          expect.objectContaining({ code: 'ERR_CLAIMS' }),
        )
      }
      expect(() => scope.as(claimsOf(1), { role: 'postgres' })).toThrow(
        expect.objectContaining({ code: 'ERR_OPTIONS' }),
      )
      await expect(
        scope.as(claimsOf(1)).transaction({ settings: { Role: 'postgres' } }, async () => 1),
      ).rejects.toMatchObject({ code: 'ERR_OPTIONS' })
      expect(scope.metrics.connects).toBe(0)
    })

    it('writes any claims as they are, and nothing of them is ever SQL', async () => {
      await using scope = open({ pooler: 'pgbouncer' })
      const text = fc.oneof(
        fc.string({ unit: 'grapheme' }),
        fc.constantFrom(
          "'",
          '"',
          '\\',
          "\\'",
          '$$',
          '$1',
          '--',
          '/*',
          ';',
          '\\u0041',
          "'; drop table notes; --",
        ),
      )
      const value = fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 3 })
      const claims = fc.dictionary(text, fc.oneof(text, value), { maxKeys: 6 })
      await fc.assert(
        fc.asyncProperty(claims, async (given) => {
          const { role: _role, ...rest } = given
          const all = { ...rest, role: 'authenticated' }
          const expected = JSON.stringify(JSON.parse(JSON.stringify(all)))
          let someone: Scope
          try {
            someone = scope.as(all)
          } catch (error) {
            expect(error).toMatchObject({ code: 'ERR_CLAIMS' })
            expect(expected).toMatch(/\\u(0000|d[89a-f])/)
            return
          }
          const [row] = await someone.sql`
            select current_setting('request.jwt.claims') as text, auth.jwt() as json, current_user as role`
          expect(JSON.parse(row?.text)).toEqual(JSON.parse(expected))
          expect(row?.json).toEqual(JSON.parse(expected))
          expect(row?.role).toBe('authenticated')
        }),
        { seed: 4, numRuns: 150 },
      )
      expect((await bed.sql`select count(*)::int as n from notes`)[0]?.n).toBe(3)
    })

    it('takes other roles that the option lists, and the one for nobody wherever it stands', async () => {
      await using scope = open({ roles: ['service_role', 'anon'] })
      const [nobody] = await scope.as(undefined).sql`select current_user as role`
      const [somebody] = await scope.as({ role: 'service_role' }).sql`select current_user as role`
      expect([nobody?.role, somebody?.role]).toEqual(['anon', 'service_role'])
      expect(() => scope.as(claimsOf(1))).toThrow()
      await using other = open({ roles: ['authenticated'], anonymousRole: 'authenticated' })
      const [named] = await other.as(undefined).sql`select current_user as role`
      expect(named?.role).toBe('authenticated')
      expect(() => open({ roles: ['service_role'] })).toThrow(
        expect.objectContaining({ code: 'ERR_OPTIONS' }),
      )
    })

    it('refuses claims that nobody has awaited, and what is no payload, before anything is sent', async () => {
      await using scope = open()
      const payload = claimsOf(1)
      for (const claims of [
        Promise.resolve(payload),
        new Map(Object.entries(payload)),
        [payload],
      ]) {
        expect(() => scope.as(claims as never), String(claims)).toThrow(
          expect.objectContaining({ code: 'ERR_CLAIMS' }),
        )
      }
      expect(scope.metrics.connects).toBe(0)
    })
  })
})
