import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { contractCases } from '../contract.ts'
import { contractTitle, type TestedRuntime } from './contract-title.ts'
import type { TapRun } from './tap.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

/**
 * Registers the contract for a runtime that has a test runner of its own: it runs there, and each
 * of its cases is told here.
 *
 * @param run - Runs all cases with a connection string, and tells their names by what came of them.
 */
export function contractElsewhere(
  runtime: TestedRuntime,
  run: (url: string) => Promise<TapRun>,
): void {
  const { pgbouncer, postgres } = inject('servers')
  const ways = [
    ['through PgBouncer', pgbouncer],
    ['on Postgres itself', postgres],
  ] as const
  for (const [way, at] of ways) {
    describe.skipIf(!at)(contractTitle(runtime, way), () => {
      let bed: TestDatabase
      let result: TapRun
      beforeAll(async () => {
        bed = await createTestDatabase()
        result = await run(bed.url(at ?? postgres))
        if (result.passed.length === 0) throw new Error(result.output)
      }, 300_000)
      afterAll(() => bed[Symbol.asyncDispose]())

      it.each(contractCases())('%s', (name) => {
        if (!result.passed.includes(name)) throw new Error(reportOf(name, result.output))
      })
    })
  }
}

/** What TAP says of one case: from its line to that of the next. */
function reportOf(name: string, output: string): string {
  const at = output.indexOf(` - ${name}\n`)
  return at < 0 ? `It did not run. ${output}` : (output.slice(at).split(/\n(?:not )?ok /)[0] ?? '')
}
