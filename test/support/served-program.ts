import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A program that serves HTTP. */
export interface ServedProgram extends AsyncDisposable {
  /** A URL of it. */
  at(path: string): URL
  /** What it has written, to its standard output and its standard error. */
  readonly lines: readonly string[]
}

/** Starts a program and waits for the address that it prints. */
export async function serveProgram(
  program: string,
  parameters: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<ServedProgram> {
  const child = spawn(program, parameters, {
    env: { ...process.env, NO_COLOR: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'close')
  const lines: string[] = []
  const origin = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        lines.push(line)
        const [found] = /http:\/\/[^\s/]+/.exec(line) ?? []
        if (found) resolve(found)
      })
    }
    child.once('error', reject)
    exited.then(() => reject(new Error(lines.join('\n'))))
  })
  return {
    at: (path) => new URL(path, origin),
    lines,
    async [Symbol.asyncDispose]() {
      child.kill()
      await exited
    },
  }
}
