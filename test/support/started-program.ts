import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Conditions } from './conditions.ts'
import { descendantsOf } from './local-machine.ts'

/** `npm start` as a child process, without the build, which `npm test` has done. */
export class StartedProgram {
  /** What it wrote to its standard output and to its standard error. */
  readonly lines: string[] = []
  readonly errors: string[] = []
  readonly exitCode: Promise<number | null>
  readonly #child: ChildProcess
  readonly #conditions = new Conditions(this.lines)

  constructor(environment: Readonly<Record<string, string>>) {
    const start = fileURLToPath(new URL('../../src/cli/start.ts', import.meta.url))
    const child = spawn(process.execPath, [start], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    createInterface(child.stderr).on('line', (line) => this.errors.push(line))
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

  interrupt(): void {
    this.#child.kill('SIGINT')
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
