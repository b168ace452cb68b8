import { failureText } from './failure-text.ts'
import { plainText } from './plain-text.ts'

/** How a command ends that has failed, and why it did. */
export interface FailureOptions extends ErrorOptions {
  /** Default: 2. */
  exitCode?: number
}

/** A sentence for whoever has called a command, which ends with this code. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  readonly exitCode: number

  constructor(message: string, how: number | FailureOptions = {}) {
    const { exitCode = 2, ...options } = typeof how === 'number' ? { exitCode: how } : how
    super(message, options)
    this.exitCode = exitCode
  }
}

/** Says on the error output what went wrong, and sets the exit code. */
export function explainFailure(error: unknown): void {
  process.stderr.write(`nullpool: ${obeyedByNone(failureText(error, []))}\n`)
  process.exitCode = error instanceof CommandFailure ? error.exitCode : 2
}

/** Names of files and hosts may hold what a terminal obeys; lines are our own. */
function obeyedByNone(message: string): string {
  return message.split('\n').map(plainLine).join('\n')
}

function plainLine(line: string): string {
  return plainText(line, Number.POSITIVE_INFINITY)
}

/** Refuses the empty name that a variable leaves which is not set. */
export function requireName(
  option: string,
  what: 'file' | 'folder',
  name: string | undefined,
): void {
  if (name !== '') return
  throw new CommandFailure(`${option} names no ${what}: is the variable set in this shell?`)
}
