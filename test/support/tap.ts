import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What came of tests inside of another runtime. */
export interface TapRun {
  passed: string[]
  failed: string[]
  /** Everything that was printed, to look into. */
  output: string
}

/** Runs a program in the root of the repository that tells its results as TAP (testanything.org). */
export async function runTap(
  program: string,
  parameters: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<TapRun> {
  const child = spawn(program, parameters, {
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
  const lines = (mark: RegExp): string[] =>
    [...output.matchAll(mark)].map(([, name = '']) => name.trim())
  return {
    passed: lines(/^ok \d+ - (.*)$/gm),
    failed: lines(/^not ok \d+ - (.*)$/gm),
    output,
  }
}
