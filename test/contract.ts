import { createDatabase, type Database, type DatabaseOptions, type Scope } from 'nullpool'
import { aborts } from './contract-aborts.ts'
import { batches } from './contract-batches.ts'
import { claims } from './contract-claims.ts'
import { errors } from './contract-errors.ts'
import { honoMiddleware } from './contract-hono.ts'
import { lifecycle } from './contract-lifecycle.ts'
import { queries } from './contract-queries.ts'
import { streams } from './contract-streams.ts'
import { transactions } from './contract-transactions.ts'
import { values } from './contract-values.ts'

/** Registers one case with whatever test runner the runtime has. */
export type Test = (name: string, run: () => Promise<void>) => void

/** Runs work in a scope of its own. */
export type Run = <T>(work: (scope: Scope) => Promise<T>) => Promise<T>

/** The database of a runtime. */
export interface Place {
  run: Run
  /** What leads to it; the middleware takes the same. */
  options: DatabaseOptions
  /** The same with more options. */
  connect(more?: DatabaseOptions): Database
}

/** Everything that a runtime must be able to do, by the name of its row in docs/runtimes.md. */
const CAPABILITIES: Record<string, (test: Test, place: Place) => void> = {
  lifecycle,
  values,
  queries,
  errors,
  transactions,
  claims,
  batches,
  streams,
  aborts,
  'Hono middleware': honoMiddleware,
}

/**
 * What every runtime must show. Knows no test runner and no runtime's own API, only `node:assert`.
 *
 * @param options - What leads to the database of this runtime; nothing where its environment or its
 *   bindings do.
 * @param connect - What makes the databases, where it is not `createDatabase`.
 */
export function databaseContract(
  test: Test,
  options: DatabaseOptions = {},
  connect: Place['connect'] = (more = {}) => createDatabase({ ...options, ...more }),
): void {
  const run: Run = (work) => connect().run({}, work)
  for (const [capability, register] of Object.entries(CAPABILITIES)) {
    const named: Test = (name, work) => test(`${capability}: ${name}`, work)
    register(named, { run, options, connect })
  }
}

/** The names of all cases. */
export function contractCases(): string[] {
  const names: string[] = []
  databaseContract((name) => void names.push(name))
  return names
}
