import { createDatabase, type Scope } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { claimsOf, makeSupabaseSchema, userId } from '../support/supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** Who runs it, and in which transaction. */
const WHO = 'select auth.uid() as uid, current_user::text as role, pg_current_xact_id()::text as id'

interface Who {
  uid: string | null
  role: string
  id: string
}

const HOWS: Readonly<Record<string, (scope: Scope) => Promise<Who | undefined>>> = {
  transaction: async (scope) => (await scope.transaction((sql) => sql.unsafe<Who[]>(WHO)))[0],
  batch: async (scope) => (await scope.batch((sql) => [sql.unsafe<Who[]>(WHO)]))[0][0],
}

describe.each([
  ['Postgres', 'postgres', postgres],
  ['PgBouncer', 'pgbouncer', pgbouncer],
] as const)('begun in a transaction of one user, on %s', (_name, pooler, target) => {
  describe.skipIf(!target).each(Object.entries(HOWS))('a %s', (_how, ask) => {
    let bed: TestDatabase
    beforeAll(async () => {
      bed = await createTestDatabase()
      await makeSupabaseSchema(bed.sql)
    })
    afterAll(() => bed[Symbol.asyncDispose]())
    const open = (): Scope => createDatabase({ url: bed.url(target ?? postgres), pooler }).scope()

    /** What the transaction of the first user sees, and the one that was begun in it. */
    async function beside(scope: Scope, inner: Scope): Promise<[Who | undefined, Who | undefined]> {
      let asked: Promise<Who | undefined> | undefined
      const outer = await scope.as(claimsOf(1)).transaction(async (sql) => {
        const [who] = await sql.unsafe<Who[]>(WHO)
        // Of somebody else it waits for the end of this one.
        asked = ask(inner)
        return who
      })
      return [outer, await asked]
    }

    it.each<[string, (scope: Scope) => Scope, Omit<Who, 'id'>]>([
      ['another user', (scope) => scope.as(claimsOf(2)), { uid: userId(2), role: 'authenticated' }],
      ['nobody', (scope) => scope.as(null), { uid: null, role: 'anon' }],
      [
        'the same user under other settings',
        (scope) => scope.as(claimsOf(1), { 'app.tenant': '2' }),
        { uid: userId(1), role: 'authenticated' },
      ],
      ['the own role', (scope) => scope, { uid: null, role: postgres.user }],
    ])('of %s is none of theirs', async (_who, choose, expected) => {
      await using scope = open()
      const [outer, inner] = await beside(scope, choose(scope))
      expect(outer).toMatchObject({ uid: userId(1), role: 'authenticated' })
      expect(inner).toMatchObject(expected)
      expect(inner?.id).not.toBe(outer?.id)
    })

    it('of the same claims, in another order, is a part of it', async () => {
      await using scope = open()
      const again = Object.fromEntries(Object.entries(claimsOf(1)).reverse())
      const [outer, inner] = await scope.as(claimsOf(1)).transaction(async (sql) => {
        const [who] = await sql.unsafe<Who[]>(WHO)
        return [who, await ask(scope.as(again))]
      })
      expect(inner).toEqual(outer)
    })
  })
})
