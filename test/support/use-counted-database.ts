import { afterAll, beforeAll } from 'vitest'
import { type CountingProxy, startCountingProxy } from './counting-proxy.ts'
import { makeSupabaseSchema } from './supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

/** A database like Supabase's, and a proxy in front of its server that counts trips; within tests only. */
export interface CountedDatabase {
  readonly bed: TestDatabase
  readonly proxy: CountingProxy
}

/** Makes it for the tests of a `describe`, and takes it away behind them. */
export function useCountedDatabase(target: { host: string; port: number }): CountedDatabase {
  const made = {} as { bed: TestDatabase; proxy: CountingProxy }
  beforeAll(async () => {
    made.bed = await createTestDatabase()
    await makeSupabaseSchema(made.bed.sql)
    made.proxy = await startCountingProxy({ target })
  })
  afterAll(async () => {
    await made.proxy?.stop()
    await made.bed?.[Symbol.asyncDispose]()
  })
  return made
}
