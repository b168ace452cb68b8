/** A sentence for whoever has called a command, which ends with this code. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  readonly exitCode: number

  constructor(message: string, exitCode = 2) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Says on the error output what went wrong, and sets the exit code. */
export function explainFailure(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`nullpool: ${message}\n`)
  process.exitCode = error instanceof CommandFailure ? error.exitCode : 2
}
