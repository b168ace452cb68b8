import { afterAll, afterEach, beforeAll } from 'vitest'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

/** A database with a table of deeds, which have a name each. */
export interface Deeds extends TestDatabase {
  /** The names of those that have been committed. */
  deeds(): Promise<string[]>
}

/** Makes it for the tests of a `describe`, empties it behind each, and drops it behind all. */
export function useDeeds(): Deeds {
  let bed: Deeds | undefined
  const made = (): Deeds => {
    if (!bed) throw new Error('The database is there within tests only.')
    return bed
  }
  beforeAll(async () => {
    const database = await createTestDatabase()
    await database.sql`create table deeds (name text)`
    bed = {
      ...database,
      deeds: async () =>
        (await database.sql`select name from deeds order by 1`).map(({ name }) => name),
    }
  })
  afterEach(() => made().sql`truncate deeds`)
  afterAll(() => bed?.[Symbol.asyncDispose]())
  return new Proxy({} as Deeds, { get: (_, key) => Reflect.get(made(), key) })
}
