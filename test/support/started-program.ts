import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Conditions } from './conditions.ts'
import { descendantsOf } from './local-machine.ts'

const START = fileURLToPath(new URL('../../src/cli/start.ts', import.meta.url))
/** The command line as it is published. */
export const NULLPOOL = fileURLToPath(new URL('../../dist/cli/nullpool.js', import.meta.url))

/** `npm start`, or a program of Node's with its arguments, without the build, which `npm test` has done. */
export class StartedProgram {
  /** What it wrote to its standard output and to its standard error. */
  readonly lines: string[] = []
  readonly errors: string[] = []
  readonly exitCode: Promise<number | null>
  readonly #child: ChildProcess
  readonly #conditions = new Conditions(this.lines)

  constructor(
    environment: Readonly<Record<string, string>>,
    parts: readonly string[] = [START],
    cwd?: string,
  ) {
    const child = spawn(process.execPath, parts, {
      cwd,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    createInterface(child.stderr).on('line', (line) => {
      this.errors.push(line)
      this.#conditions.changed()
    })
    createInterface(child.stdout).on('line', (line) => {
      this.lines.push(line)
      this.#conditions.changed()
    })
    this.exitCode = once(child, 'close').then(([code]) => {
      this.#conditions.abandon(`It ended:\n${[...this.lines, ...this.errors].join('\n')}`)
      return code
    })
  }

  /** Waits for a line that holds the text. */
  async line(text: string): Promise<string> {
    const find = () => this.lines.find((line) => line.includes(text))
    await this.#conditions.until(() => find() !== undefined)
    return find() ?? ''
  }

  /** Waits until its standard output is as the predicate wants it. */
  async until(predicate: (lines: readonly string[]) => boolean): Promise<void> {
    await this.#conditions.until(predicate)
  }

  /** Waits for a line of its standard error that holds the text. */
  async error(text: string): Promise<string> {
    const find = () => this.errors.find((line) => line.includes(text))
    await this.#conditions.until(() => find() !== undefined)
    return find() ?? ''
  }

  interrupt(signal: NodeJS.Signals = 'SIGINT'): void {
    this.#child.kill(signal)
  }

  /** Ends it where a test failed to; what it started goes with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exitCode
  }

  /** Everybody below it at this moment. */
  descendants(): Promise<number[]> {
    return descendantsOf(this.#child.pid ?? 0)
  }
}
