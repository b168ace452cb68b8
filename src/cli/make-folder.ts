import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder with those above it; one that is there stays as it is.
 *
 * Node's own `recursive` does not: where a folder is there that takes none, as `/proc`, it tries for ever.
 */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  const made = await tryTo(path, mode)
  if (made === undefined) return
  if (made.code !== 'ENOENT' || dirname(path) === path) throw made
  await makeFolder(dirname(path), mode)
  const again = await tryTo(path, mode)
  if (again !== undefined) throw again
}

async function tryTo(path: string, mode: number): Promise<NodeJS.ErrnoException | undefined> {
  try {
    await mkdir(path, { mode })
    return undefined
  } catch (error) {
    const failure = error as NodeJS.ErrnoException
    const isThere = failure.code === 'EEXIST' && (await stat(path)).isDirectory()
    return isThere ? undefined : failure
  }
}
