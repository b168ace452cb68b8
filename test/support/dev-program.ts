import { chmod, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DevAnswer } from '../../src/cli/dev/run-dev.ts'
import { assertPortFree, findFreePort } from '../../src/cli/free-port.ts'
import { makeFolder, nullpoolFolders, stillAlive } from './local-machine.ts'
import { NULLPOOL, StartedProgram } from './started-program.ts'

/** A place to run `nullpool dev` in, with a home and a folder for temporary files of its own. */
export class DevBed {
  readonly folder: string
  readonly port: number
  readonly #home: string

  private constructor(folder: string, port: number) {
    this.folder = folder
    this.port = port
    this.#home = join(folder, 'home')
  }

  static async make(): Promise<DevBed> {
    const folder = await makeFolder()
    const bed = new DevBed(folder, await findFreePort())
    await mkdir(bed.#home)
    await mkdir(bed.#temporary)
    await chmod(bed.#temporary, 0o777)
    return bed
  }

  get #temporary(): string {
    return join(this.folder, 'tmp')
  }

  get environment(): Record<string, string> {
    return {
      TMPDIR: this.#temporary,
      XDG_CACHE_HOME: join(this.#home, 'cache'),
      XDG_STATE_HOME: join(this.#home, 'state'),
    }
  }

  /** Starts it, on the port of this bed. */
  dev(
    parts: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): StartedProgram {
    const port = ['--port', `${this.port}`]
    return new StartedProgram({ ...this.environment, ...environment }, [
      ...[NULLPOOL, 'dev', ...port],
      ...parts,
    ])
  }

  /** Starts it, does some work while it is up, and interrupts it. */
  async whileUp(
    parts: readonly string[],
    work: (answer: DevAnswer, program: StartedProgram) => Promise<void>,
    environment?: Readonly<Record<string, string>>,
  ): Promise<void> {
    await using program = this.dev(['--json', ...parts], environment)
    await program.until((lines) => lines.at(-1) === '}')
    const processes = await program.descendants()
    await work(JSON.parse(program.lines.join('\n')), program)
    program.interrupt()
    const code = await program.exitCode
    if (code !== 0) throw new Error(`It ended with ${code}:\n${program.errors.join('\n')}`)
    await this.assertNothingLeft(processes)
  }

  /** Throws where a process, a folder or the port is not given back. */
  async assertNothingLeft(processes: readonly number[] = []): Promise<void> {
    const alive = await stillAlive(processes)
    const folders = await nullpoolFolders(this.#temporary)
    if (alive.length + folders.length > 0) {
      throw new Error(`Left behind: ${[...alive, ...folders].join(', ')}`)
    }
    await assertPortFree(this.port)
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}
