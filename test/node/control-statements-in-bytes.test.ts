import { createDatabase, type Scope } from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')
/** 240 bytes, 120 characters: the glance of 200 bytes has fewer than 200 characters. */
const COMMENT = `/* ${'é'.repeat(120)} */`

describe.skipIf(!pgbouncer)('the glance at a statement with characters of several bytes', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table deeds (name text)`
  })
  afterEach(async () => void (await bed.sql`truncate deeds`))
  afterAll(() => bed[Symbol.asyncDispose]())
  const open = (): Scope =>
    createDatabase({
      url: bed.url(pgbouncer ?? postgres),
      pooler: 'pgbouncer',
      queryTimeoutMs: 4000,
    }).scope()
  const kept = async () => (await bed.sql`select name from deeds order by 1`).map((x) => x.name)

  it('a COMMIT behind a comment is refused in a transaction', async () => {
    await using scope = open()
    const error = await scope
      .transaction(async (sql) => {
        await sql`insert into deeds values ('a')`
        await sql.unsafe(`${COMMENT} commit`).catch((e) => expect(e.code).toBe('2D000'))
        throw new Error('on purpose')
      })
      .catch((e) => e)
    expect(error.message).toBe('on purpose')
    expect(await kept()).toEqual([])
  })

  it('a COMMIT behind a comment, simple protocol', async () => {
    await using scope = open()
    await scope
      .transaction(async (sql) => {
        await sql`insert into deeds values ('a')`
        await sql
          .unsafe(`${COMMENT} commit`)
          .simple()
          .catch((e) => expect(e.code).toBe('2D000'))
        throw new Error('on purpose')
      })
      .catch((e) => e)
    expect(await kept()).toEqual([])
  })

  it('the same in a batch, which is to refuse it', async () => {
    await using scope = open()
    const error = await scope
      .batch((sql) => [
        sql`insert into deeds values ('a')`,
        sql.unsafe(`${COMMENT} commit`),
        sql`select 1 / 0`,
      ])
      .catch((e) => e)
    expect(error.code).toBe('2D000')
    expect(await kept()).toEqual([])
  })

  it('a BEGIN with statements behind a line comment loses none', async () => {
    await using scope = open()
    await scope.sql
      .unsafe(`begin -- ${'é'.repeat(120)}\n; insert into deeds values ('a'); commit`)
      .simple()
    expect(await kept()).toEqual(['a'])
  })

  it("a transaction that the scope's own sql begins by hand: ROLLBACK TO seen as ROLLBACK", async () => {
    await using scope = open()
    await scope.transaction(async (sql) => {
      await sql`insert into deeds values ('a')`
      await sql`savepoint x`
      await sql`insert into deeds values ('b')`
      await sql.unsafe(`rollback /* ${'é'.repeat(120)} */ to x`)
    })
    expect(await kept()).toEqual(['a'])
  })

  it('AND CHAIN behind a comment', async () => {
    await bed.sql.unsafe('grant all on deeds to public')
    await bed.sql.unsafe('do $$ begin create role anon; exception when others then null; end $$')
    await using scope = open().as({ role: 'anon' })
    const told: unknown[] = []
    const tell = (x: string) =>
      scope.sql.unsafe(x).then(
        (r) => told.push([...r]),
        (e) => told.push(e.code),
      )
    await scope.sql
      .begin(async (sql) => {
        await sql.unsafe(`commit /* ${'é'.repeat(120)} */ and chain`).then(
          (_r) => told.push('ok'),
          (e) => told.push(e.code),
        )
        await sql.unsafe('select current_user::text u').then(
          (r) => told.push([...r]),
          (e) => told.push(e.code),
        )
      })
      .catch((e) => told.push(`begin ${e.code}`))
    await tell('select 1 x')
    expect(JSON.stringify(told)).not.toContain('postgres')
    expect(told[0]).toBe('0A000')
  })
})
