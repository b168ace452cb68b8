import { createDatabase } from 'nullpool'
import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { databaseContract } from '../contract.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

let bed: TestDatabase
beforeAll(async () => {
  bed = await createTestDatabase()
})
afterAll(() => bed[Symbol.asyncDispose]())

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('in workerd, through PgBouncer', () => {
  it('runs in workerd', ({ expect }) => {
    expect(navigator.userAgent).toBe('Cloudflare-Workers')
  })

  databaseContract(it, {
    database: () => {
      if (!pgbouncer) throw new Error('PgBouncer is not installed')
      return createDatabase({ url: bed.url(pgbouncer) })
    },
  })
})
