import assert from 'node:assert/strict'
import type { Scope } from 'nullpool'
import type { Place, Test } from './contract.ts'

/** Roles that every Postgres has, so that no test has to make one. */
const ROLES = ['pg_signal_backend', 'pg_read_all_settings'] as const
const [ANYBODY, MEMBER] = ROLES

/** What every runtime must show of statements that run for somebody. */
export function claims(test: Test, { connect }: Place): void {
  // Whether a Hyperdrive keeps rows is tested apart; here it does not.
  const database = connect({ roles: ROLES, anonymousRole: ROLES[0], hyperdriveCaching: false })
  const run = <T>(work: (scope: Scope) => Promise<T>): Promise<T> => database.run({}, work)
  const asks = async ({ sql }: Scope): Promise<object> => {
    const [row] = await sql`
      select current_setting('request.jwt.claims', true)::jsonb->>'sub' as sub, current_role as role`
    return { ...row }
  }

  test('as() is heard by its statements, and by no others of the request', () =>
    run(async (scope) => {
      const [{ user } = { user: '' }] = await scope.sql<
        { user: string }[]
      >`select current_user as user`
      const ada = scope.as({ sub: 'ada', role: MEMBER })
      const seen = await Promise.all([asks(ada), asks(scope.as(null)), asks(scope)])
      assert.deepEqual(seen[0], { sub: 'ada', role: MEMBER })
      assert.deepEqual(seen[1], { sub: null, role: ANYBODY })
      assert.equal((seen[2] as { role: string }).role, user)
    }))

  test('as() lets policies decide which rows there are', () =>
    run(async (scope) => {
      const table = scope.sql(`contract_notes_${crypto.randomUUID().replaceAll('-', '')}`)
      await scope.sql`create table ${table} (owner text, note text)`
      await scope.sql`alter table ${table} enable row level security`
      await scope.sql`grant select, insert on ${table} to ${scope.sql(MEMBER)}`
      await scope.sql`
        create policy own on ${table} to ${scope.sql(MEMBER)}
        using (owner = current_setting('request.jwt.claims')::jsonb->>'sub')`
      const notes = async (sub: string): Promise<unknown[]> =>
        (await scope.as({ sub, role: MEMBER }).sql`select note from ${table}`).map(
          (row) => row.note,
        )
      const ada = scope.as({ sub: 'ada', role: MEMBER })
      await ada.sql`insert into ${table} values (${'ada'}, ${'hers'})`
      await assert.rejects(async () => ada.sql`insert into ${table} values (${'bob'}, 'his')`, {
        code: '42501',
      })
      assert.deepEqual([await notes('ada'), await notes('bob')], [['hers'], []])
      await assert.rejects(async () => scope.as(null).sql`select * from ${table}`, {
        code: '42501',
      })
      await scope.sql`drop table ${table}`
    }))

  test('as() holds in transactions and batches', () =>
    run(async (scope) => {
      const ada = scope.as({ sub: 'ada', role: MEMBER })
      const inside = await ada.transaction(async (sql) => {
        await sql`select 1`
        return sql`select current_role as role`
      })
      const [[batched]] = await ada.batch((sql) => [
        sql<{ role: string }[]>`select current_role as role`,
      ])
      assert.deepEqual([inside[0]?.role, batched?.role], [MEMBER, MEMBER])
    }))

  test('as() binds claims as values, whatever is in them', () =>
    run(async (scope) => {
      const sub = `'; drop table x; -- "\\" ü 漢 \n`
      assert.deepEqual(await asks(scope.as({ sub, role: MEMBER })), { sub, role: MEMBER })
    }))

  test('as() refuses a role that is not listed, and takes back what would change its claims', () =>
    run(async (scope) => {
      const refused = { code: 'ERR_CLAIMS' }
      await assert.rejects(async () => scope.as({ role: 'postgres' }).sql`select 1`, refused)
      await assert.rejects(async () => scope.as([] as never).sql`select 1`, refused)
      assert.equal(scope.metrics.connects, 0)
      const ada = scope.as({ sub: 'ada', role: MEMBER })
      await assert.rejects(async () => ada.sql`reset role`, refused)
      assert.deepEqual(await asks(ada), { sub: 'ada', role: MEMBER })
    }))
}
