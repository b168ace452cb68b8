import { createDatabase, type DatabaseOptions } from 'nullpool'
import { databaseContract } from '../contract.ts'

const tests = new Map<string, () => Promise<void>>()

databaseContract((name, run) => tests.set(name, run))

/** Runs one case of the contract. */
export function run(name: string): Promise<void> {
  const found = tests.get(name)
  if (!found) throw new Error(`There is no such case: ${name}`)
  return found()
}

/** Anything else, with a database of this runtime. */
export function database(options?: DatabaseOptions): ReturnType<typeof createDatabase> {
  return createDatabase(options)
}
