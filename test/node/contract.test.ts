import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { databaseContract } from '../contract.ts'
import { contractTitle } from '../support/contract-title.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

let bed: TestDatabase
beforeAll(async () => {
  bed = await createTestDatabase()
})
afterAll(() => bed[Symbol.asyncDispose]())

const { pgbouncer, postgres } = inject('servers')

describe.skipIf(!pgbouncer)(contractTitle('Node 24', 'through PgBouncer'), () => {
  databaseContract(it, { url: () => bed.url(pgbouncer ?? postgres) })
})

describe(contractTitle('Node 24', 'on Postgres itself'), () => {
  databaseContract(it, { url: () => bed.url(postgres) })
})
