import { runTap, type TapRun } from './tap.ts'

const NODE_22 = 'test/node22/node_modules/.bin/node'

/** Runs a test file of `test/node22` in the oldest Node that the package claims, on the built package. */
export function runNode22Tests(
  parameters: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<TapRun> {
  // Types are taken off without being asked for from 22.18 on.
  const options = ['--experimental-strip-types', '--no-warnings', '--test-reporter=tap']
  return runTap(NODE_22, [...options, ...parameters], environment)
}
