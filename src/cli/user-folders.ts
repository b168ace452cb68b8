import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { CommandFailure } from './failure.ts'
import { makeFolder } from './make-folder.ts'

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
  await makeFolder(folder, 0o700).catch((cause: NodeJS.ErrnoException) => {
    throw new CommandFailure(
      `${folder} cannot be made (${cause.code}). Set ${variable} to a folder in which this user may write.`,
      { cause },
    )
  })
  return folder
}
