import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { userFolder } from '../user-folders.ts'

/**
 * The password of the user's local databases: made once, so that a connection string in a `.dev.vars`
 * stays right, and random, because everybody on this machine can reach the port.
 */
export async function localPassword(): Promise<string> {
  const file = join(await userFolder('state'), 'dev-password')
  const password = randomBytes(18).toString('base64url')
  try {
    await writeFile(file, password, { mode: 0o600, flag: 'wx' })
    return password
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const kept = await readFile(file, 'utf8')
    // Of another process that is writing it at this moment, or broken.
    return kept.length === password.length ? kept : password
  }
}
