import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { runProgram } from './child-process.ts'
import type { PostgresServerOptions } from './postgres-options.ts'
import type { PostgresPrograms } from './postgres-programs.ts'
import { giveTo, isReachable, type ServerFolder } from './server-folder.ts'

/** The database files of a Postgres and the key to them. */
export interface PostgresCluster {
  path: string
  /** The superuser's. */
  password: string
}

/** Kept with the cluster, because a second start has no other way to learn the password. */
const PASSWORD_FILE = 'nullpool-password'

/** Creates the database files, or finds the ones that an earlier start created. */
export async function prepareCluster(
  folder: ServerFolder,
  programs: PostgresPrograms,
  superuser: string,
  options: PostgresServerOptions,
): Promise<PostgresCluster> {
  const path = resolve(options.dataDirectory ?? join(folder.path, 'data'))
  const content = await contentOf(path)
  if (content.includes(PASSWORD_FILE)) {
    return { path, password: await readFile(join(path, PASSWORD_FILE), 'utf8') }
  }
  if (content.length > 0) {
    throw new Error(`${path} is not empty and holds no database that nullpool created.`)
  }
  options.onProgress?.('Creating the database files.')
  await createDataDirectory(path, folder)
  const password = randomBytes(18).toString('base64url')
  await runProgram({
    file: programs.initdb,
    arguments: [
      `--pgdata=${path}`,
      `--username=${superuser}`,
      `--pwfile=${await folder.write('password', password)}`,
      `--auth=${options.authMethod ?? 'scram-sha-256'}`,
      '--encoding=UTF8',
      // Postgres's own C.UTF-8: a bare machine has no locale to build on.
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-sync',
      '--no-instructions',
    ],
    folder,
    onLog: options.onLog,
  })
  await writeFile(join(path, PASSWORD_FILE), password, { mode: 0o600 })
  return { path, password }
}

async function contentOf(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function createDataDirectory(path: string, folder: ServerFolder): Promise<void> {
  const { identity } = folder
  await mkdir(dirname(path), { recursive: true })
  if (!(await isReachable(dirname(path), identity))) {
    throw new Error(
      `Postgres does not run as root, and the user "${identity?.name}" can't reach ${path}. Choose a data folder outside of root's own.`,
    )
  }
  await mkdir(path, { recursive: true, mode: 0o700 })
  await giveTo(path, identity)
}
