import type postgres from 'postgres'
import { CommandFailure } from './failure.ts'

/**
 * postgres.js as the user's project has it.
 *
 * Loaded when a command first connects: it is a peer of this package, and commands that connect to
 * nothing work without it.
 */
async function loadDriver(): Promise<typeof postgres> {
  try {
    return (await import('postgres')).default
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new CommandFailure(
      'The driver is not installed. Run "npm install postgres" in this project, then this command again.',
      { cause },
    )
  }
}

/** Runs one piece of work on one connection, which ends with it. */
export async function withConnection<Result>(
  url: string,
  work: (sql: postgres.Sql) => PromiseLike<Result>,
  options: postgres.Options<Record<string, never>> = {},
): Promise<Result> {
  const driver = await loadDriver()
  const sql = driver(url, { max: 1, onnotice: () => {}, ...options })
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
