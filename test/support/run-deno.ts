import { runTap, type TapRun } from './tap.ts'

/** Runs test files of `test/deno` in Deno, on the built package. */
export function runDenoTests(
  files: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<TapRun> {
  const options = [
    '--no-check',
    '--node-modules-dir=manual',
    '--import-map=test/deno/import-map.json',
  ]
  const permissions = ['--allow-net', '--allow-env', '--allow-read']
  const parameters = ['test', '--reporter=tap', ...permissions, ...options, ...files]
  return runTap('deno', parameters, environment)
}
