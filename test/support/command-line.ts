import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Conditions } from './conditions.ts'

/** The command line as it was built. */
export const COMMAND_LINE: string = fileURLToPath(
  new URL('../../dist/cli/nullpool.js', import.meta.url),
)

/** What a command of its own process has printed. */
export interface Printed {
  stdout: string
  stderr: string
}

/** `nullpool …` as a child process, with no environment of a database but the one that it is given. */
export class CommandLine {
  readonly printed: Printed = { stdout: '', stderr: '' }
  readonly exitCode: Promise<number | null>
  readonly #child: ChildProcess
  readonly #conditions = new Conditions(this.printed)

  constructor(parameters: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [COMMAND_LINE, ...parameters], {
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        this.printed[name] += text
        this.#conditions.changed()
      })
    }
    this.exitCode = once(child, 'close').then(([code]) => {
      this.#conditions.abandon(`It ended:\n${this.printed.stdout}${this.printed.stderr}`)
      return code
    })
  }

  /** Waits until the predicate holds for what was printed so far. */
  until(predicate: (printed: Printed) => boolean): Promise<void> {
    return this.#conditions.until(predicate)
  }

  interrupt(signal: NodeJS.Signals = 'SIGINT'): void {
    this.#child.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exitCode
  }
}

/** Runs a command that ends by itself. */
export async function runCommand(
  parameters: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Printed & { exitCode: number | null }> {
  await using command = new CommandLine(parameters, environment)
  const exitCode = await command.exitCode
  return { ...command.printed, exitCode }
}
