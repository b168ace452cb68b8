import { createDatabase, type Scope } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { claimsOf, makeSupabaseSchema, userId } from '../support/supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

const ofOne = `{"sub":"${userId(1)}","role":"service_role","email":"user1@example.com"}`

/** What functions of Supabase's read before `request.jwt.claims`, as the first user. */
const OLDER: readonly [name: string, value: string][] = [
  ['request.jwt.claims', ofOne],
  ['request.jwt.claim', ofOne],
  ['request.jwt.claim.sub', userId(1)],
  ['request.jwt.claim.role', 'service_role'],
  ['request.jwt.claim.email', 'user1@example.com'],
]

/** Whom the server takes a statement for, in all the ways in which Supabase asks. */
const WHO = `
  select auth.uid() as uid, auth.email() as email, auth.role() as role, auth.jwt() ->> 'sub' as sub,
    auth.jwt() ->> 'email' as also, current_user::text as runs_as`

describe.each([
  ['Postgres', 'postgres', postgres],
  ['PgBouncer', 'pgbouncer', pgbouncer],
] as const)('what a DO block leaves in the session, on %s', (_name, pooler, target) => {
  describe.skipIf(!target)('of the test bed', () => {
    let bed: TestDatabase
    beforeAll(async () => {
      bed = await createTestDatabase()
      await makeSupabaseSchema(bed.sql)
      await bed.sql`
        insert into notes (owner, body) values (${userId(1)}, 'of one'), (${userId(2)}, 'of two')`
    })
    afterAll(() => bed[Symbol.asyncDispose]())
    const open = (): Scope => createDatabase({ url: bed.url(target ?? postgres), pooler }).scope()

    /** Sets something for the session where nobody looks, and takes it back behind `work`. */
    async function leaving(
      scope: Scope,
      [name, value, before]: readonly [name: string, value: string, before: string],
      work: () => Promise<void>,
    ): Promise<void> {
      const leave = (text: string): string =>
        `do $$ begin perform set_config('${name}', '${text}', false); end $$`
      await scope.as(claimsOf(1)).sql.unsafe(leave(value))
      try {
        await work()
      } finally {
        await scope.sql.unsafe(leave(before))
      }
    }

    it.each(OLDER)('makes nobody somebody else: %s', async (name, value) => {
      await using scope = open()
      await leaving(scope, [name, value, ''], async () => {
        const two = scope.as(claimsOf(2))
        const claims = {
          ...{ uid: userId(2), sub: userId(2), role: 'authenticated', runs_as: 'authenticated' },
          ...{ email: 'user2@example.com', also: 'user2@example.com' },
        }
        expect(await two.sql.unsafe(WHO)).toEqual([claims])
        expect(await two.transaction((sql) => sql.unsafe(WHO))).toEqual([claims])
        expect(await two.batch((sql) => [sql.unsafe(WHO)])).toEqual([[claims]])
        expect(await two.sql`select body from notes`).toEqual([{ body: 'of two' }])
        const nobody = { uid: null, sub: null, email: null, also: null }
        expect(await scope.as(null).sql.unsafe(WHO)).toEqual([
          { ...nobody, role: 'anon', runs_as: 'anon' },
        ])
      })
    })

    it('is what functions see that know the older names only', async () => {
      await using scope = open()
      const [seen] = await scope.as(claimsOf(2)).sql`
        select current_setting('request.jwt.claim.sub')::uuid as sub,
          current_setting('request.jwt.claim.role') as role,
          current_setting('request.jwt.claim.email') as email`
      expect(seen).toEqual({ sub: userId(2), role: 'authenticated', email: 'user2@example.com' })
    })

    it('stays the role of the scope beside it, but for a transaction that says none', async () => {
      await using scope = open()
      const asks = `select current_user = session_user as own`
      await leaving(scope, ['role', 'authenticated', 'none'], async () => {
        expect(await scope.sql.unsafe(asks)).toEqual([{ own: false }])
        const guarded = scope.transaction({ settings: { role: 'none' } }, (sql) => sql.unsafe(asks))
        expect(await guarded).toEqual([{ own: true }])
        const [row] = await scope.as(null).sql`select current_user as role`
        expect(row).toEqual({ role: 'anon' })
      })
      expect(await scope.sql.unsafe(asks)).toEqual([{ own: true }])
    })

    it('is nothing where the roles of requests may not use the language, and functions go on', async () => {
      await bed.sql.unsafe(`
        create function public.double(n int) returns int language plpgsql as 'begin return 2 * n; end';
        revoke usage on language plpgsql from public`)
      await using scope = open()
      const { sql } = scope.as(claimsOf(1))
      const leaving = sql.unsafe('do $$ begin set role anon; end $$')
      await expect(leaving).rejects.toMatchObject({ code: '42501' })
      expect(await sql`select double(${21}) as n`).toEqual([{ n: 42 }])
      await bed.sql`grant usage on language plpgsql to public`
    })
  })
})
