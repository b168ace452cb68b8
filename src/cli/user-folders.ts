import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/**
 * A folder of the user's own, which nobody else can read, made where it is missing.
 *
 * @see https://specifications.freedesktop.org/basedir-spec/latest/
 */
export async function userFolder(kind: 'cache' | 'state'): Promise<string> {
  const [variable, usual] =
    kind === 'cache' ? ['XDG_CACHE_HOME', '.cache'] : ['XDG_STATE_HOME', '.local/state']
  const told = process.env[variable] ?? ''
  // The specification has relative paths ignored.
  const folder = join(isAbsolute(told) ? told : join(homedir(), usual), 'nullpool')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return folder
}
