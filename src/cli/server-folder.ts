import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type ProcessGuard, startGuard } from './process-guard.ts'
import type { ServerIdentity } from './server-identity.ts'

/** The temporary folder of one server. It ends with {@link ServerFolder.remove} or with this process. */
export interface ServerFolder {
  readonly path: string
  /** Who owns the folder and runs the server; `undefined`: the user of this process. */
  readonly identity: ServerIdentity | undefined
  readonly guard: ProcessGuard
  /** Writes a file that only the server's user can read, and returns its path. */
  write(name: string, content: string | Uint8Array): Promise<string>
  /** Removes the folder. Its server must have ended. */
  remove(): Promise<void>
}

/** Creates a temporary folder that the server's user can reach and nobody else can read. */
export async function createServerFolder(
  name: string,
  identity?: ServerIdentity,
): Promise<ServerFolder> {
  const parent = (await isReachable(tmpdir(), identity)) ? tmpdir() : '/tmp'
  const path = await mkdtemp(join(parent, `nullpool-${name}-`))
  const guard = startGuard(path)
  await giveTo(path, identity)
  return {
    path,
    identity,
    guard,
    async write(file, content) {
      const target = join(path, file)
      await writeFile(target, content, { mode: 0o600 })
      await giveTo(target, identity)
      return target
    },
    async remove() {
      await rm(path, { recursive: true, force: true, maxRetries: 3 })
      await guard.dismiss()
    },
  }
}

/** Makes a file or folder the server's own. */
export async function giveTo(path: string, identity?: ServerIdentity): Promise<void> {
  if (identity !== undefined) await chown(path, identity.uid, identity.gid)
}

/**
 * Whether the server's user can go into a folder: a clone below `/root` is closed to it.
 *
 * Asks the file modes, because root itself is allowed everything and would learn nothing by trying.
 */
export async function isReachable(folder: string, identity?: ServerIdentity): Promise<boolean> {
  if (identity === undefined) return true
  for (let path = folder; ; path = dirname(path)) {
    const { mode, uid, gid } = await stat(path)
    const shift = uid === identity.uid ? 6 : gid === identity.gid ? 3 : 0
    if (((mode >> shift) & 0o1) === 0) return false
    if (path === dirname(path)) return true
  }
}
