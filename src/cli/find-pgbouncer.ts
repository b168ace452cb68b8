import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** Where packages put it, though the PATH of an ordinary user often leaves these out. */
const USUAL_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/local/bin',
  '/opt/homebrew/bin',
  '/opt/local/bin',
  '/home/linuxbrew/.linuxbrew/bin',
]

/**
 * Finds the PgBouncer of this machine: the one that the environment variable `PGBOUNCER` names, else
 * the first on the PATH or in a usual folder. An empty `PGBOUNCER` means: do without.
 */
export async function findPgBouncer(): Promise<string | undefined> {
  const named = process.env.PGBOUNCER
  const candidates =
    named === undefined
      ? [...(process.env.PATH ?? '').split(delimiter), ...USUAL_FOLDERS]
          .filter((folder) => folder !== '')
          .map((folder) => join(folder, 'pgbouncer'))
      : [named]
  for (const file of candidates) {
    if (await isProgram(file)) return file
  }
  return undefined
}

async function isProgram(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}
