import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { userFolder } from '../user-folders.ts'

/**
 * A secret of the user's local servers: made once, so that a connection string in a `.dev.vars` stays
 * right, and random, because everybody on this machine can reach the port.
 */
export async function localSecret(name: 'dev-password' | 'gateway-token'): Promise<string> {
  const file = join(await userFolder('state'), name)
  // 32 letters, digits, - and _.
  const secret = randomBytes(24).toString('base64url')
  try {
    await writeFile(file, secret, { mode: 0o600, flag: 'wx' })
    return secret
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const kept = await readFile(file, 'utf8')
    // Of another process that is writing it at this moment, or broken.
    return kept.length === secret.length ? kept : secret
  }
}
