import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { Conditions } from './conditions.ts'
import type { RunningGateway } from './gateway-bed.ts'

const run = promisify(execFile)

/** The oldest Node that is taken reads TypeScript when told to; others take no notice. */
const STRIPS_TYPES = { NODE_OPTIONS: '--experimental-strip-types --no-warnings' }

/** The example's Node entry in a process of its own, whose memory is only the gateway's. */
export class StartedGateway implements RunningGateway {
  readonly runtime = 'node'
  readonly events: RunningGateway['events'] = []
  /** What it wrote. */
  readonly lines: string[] = []
  host = ''
  readonly exitCode: Promise<number | null>
  readonly #child: ChildProcess
  readonly #conditions = new Conditions(this.lines)

  constructor(environment: Readonly<Record<string, string>>, node: string = process.execPath) {
    const child = spawn(node, ['examples/gateway/src/node.ts'], {
      env: { ...process.env, ...STRIPS_TYPES, PORT: '0', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        this.lines.push(line)
        this.#conditions.changed()
      })
    }
    this.exitCode = once(child, 'close').then(([code]) => {
      this.#conditions.abandon(`It ended:\n${this.lines.join('\n')}`)
      return code
    })
  }

  /** Resolves when it listens. */
  async ready(): Promise<this> {
    const line = (): string | undefined => this.lines.find((each) => each.includes('listens on'))
    await this.#conditions.until(() => line() !== undefined)
    this.host = line()?.split('http://')[1] ?? ''
    return this
  }

  /** Kilobytes that it has in memory now. */
  async memoryKb(): Promise<number> {
    const { stdout } = await run('ps', ['-o', 'rss=', '-p', `${this.#child.pid}`])
    return Number(stdout)
  }

  interrupt(): void {
    this.#child.kill('SIGINT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exitCode
  }
}
