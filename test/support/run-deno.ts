import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What came of tests inside of Deno. */
export interface DenoRun {
  passed: string[]
  failed: string[]
  /** Everything that was printed, to look into. */
  output: string
}

/** Runs test files of `test/deno` in Deno, on the built package. */
export async function runDenoTests(
  files: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<DenoRun> {
  const options = [
    '--no-check',
    '--node-modules-dir=manual',
    '--import-map=test/deno/import-map.json',
  ]
  const permissions = ['--allow-net', '--allow-env', '--allow-read']
  const args = ['test', '--reporter=tap', ...permissions, ...options, ...files]
  const output = await runDeno(args, environment)
  const lines = (mark: RegExp): string[] =>
    [...output.matchAll(mark)].map(([, name = '']) => name.trim())
  return {
    passed: lines(/^ok \d+ - (.*)$/gm),
    failed: lines(/^not ok \d+ - (.*)$/gm),
    output,
  }
}

async function runDeno(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn('deno', args, {
    cwd: root,
    env: { ...process.env, ...environment, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  await once(child, 'close')
  return output
}
