import { sql as dsql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { createDatabase, type Scope } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

describe.skipIf(!pgbouncer)('the result of a transaction', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql`create table deeds (name text)`
  })
  afterAll(() => bed[Symbol.asyncDispose]())
  const open = (): Scope =>
    createDatabase({ url: bed.url(pgbouncer ?? postgres), pooler: 'pgbouncer' }).scope()
  it('is as its statement gave it', async () => {
    await using scope = open()
    const plain = await scope.sql`insert into deeds values ('a'), ('b')`
    const native = await scope.sql.begin((sql) => sql`insert into deeds values ('a'), ('b')`)
    const result = await scope.transaction((sql) => sql`insert into deeds values ('a'), ('b')`)
    expect([plain, native, result].map(({ count, command }) => [count, command])).toEqual(
      Array(3).fill([2, 'INSERT']),
    )
  })
  it('is so of a savepoint too', async () => {
    await using scope = open()
    const count = await scope.transaction(async (sql) => {
      const result = await sql.savepoint((inner) => inner`insert into deeds values ('a')`)
      return result.count
    })
    expect(count).toBe(1)
  })
  it('is so through Drizzle', async () => {
    await using scope = open()
    const result = await drizzle(drizzleClient(scope)).transaction(async (tx) =>
      tx.execute(dsql`insert into deeds values ('a'), ('b')`),
    )
    expect(result.count).toBe(2)
  })
})
