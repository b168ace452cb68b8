import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { runProgram } from './child-process.ts'
import { makeFolder } from './make-folder.ts'
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

const OTHER = 'Choose another data folder.'

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
    await checkMajor(path, programs)
    return { path, password: await readFile(join(path, PASSWORD_FILE), 'utf8') }
  }
  if (isUnfinished(content)) throw unfinished(path)
  if (content.length > 0) {
    throw new Error(`${path} is not empty and holds no database that nullpool created. ${OTHER}`)
  }
  await createDataDirectory(path, folder)
  options.onProgress?.('Creating the database files.')
  const password = randomBytes(18).toString('base64url')
  await initialize(path, password, folder, programs, superuser, options).catch(
    async (error: unknown) => {
      // It refuses a folder into which somebody else has begun to write.
      const isOthers = !options.signal?.aborted && isUnfinished(await contentOf(path))
      throw isOthers ? unfinished(path) : error
    },
  )
  await writeFile(join(path, PASSWORD_FILE), password, { mode: 0o600 })
  return { path, password }
}

async function initialize(
  path: string,
  password: string,
  folder: ServerFolder,
  programs: PostgresPrograms,
  superuser: string,
  options: PostgresServerOptions,
): Promise<void> {
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
    signal: options.signal,
  })
}

/** initdb has begun: it makes this folder early, and the first start of the server leaves the file. */
function isUnfinished(content: readonly string[]): boolean {
  return content.includes('pg_wal') && !content.includes('postmaster.opts')
}

function unfinished(path: string): Error {
  return new Error(
    `${path} holds a database that is not finished: another start is making it now, or was ended while it did. Wait for that one; else remove the folder, or choose another one.`,
  )
}

async function contentOf(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return []
    if (code === 'ENOTDIR') {
      const isFile = await stat(path).then(
        () => true,
        () => false,
      )
      throw new Error(`${path} ${isFile ? 'is no folder' : 'cannot be made (ENOTDIR)'}. ${OTHER}`, {
        cause: error,
      })
    }
    throw new Error(`${path} cannot be read (${code}). ${OTHER}`, { cause: error })
  }
}

async function createDataDirectory(path: string, folder: ServerFolder): Promise<void> {
  const { identity } = folder
  await made(path, dirname(path))
  if (!(await isReachable(dirname(path), identity))) {
    throw new Error(
      `Postgres does not run as root, and the user "${identity?.name}" can't reach ${path}. Choose a data folder outside of root's own.`,
    )
  }
  await made(path, path, 0o700)
  await giveTo(path, identity)
}

async function made(path: string, part: string, mode?: number): Promise<void> {
  await makeFolder(part, mode).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`${path} cannot be made (${cause.code}). ${OTHER}`, { cause })
  })
}

/** Postgres reads the files of its own major version alone. */
async function checkMajor(path: string, programs: PostgresPrograms): Promise<void> {
  const kept = (await readFile(join(path, 'PG_VERSION'), 'utf8')).trim()
  const { stdout } = await promisify(execFile)(programs.postgres, ['--version'])
  const own = /\d+/.exec(stdout)?.[0]
  if (kept === own) return
  throw new Error(
    `${path} holds a database of Postgres ${kept}, and this is Postgres ${own}. ${OTHER.slice(0, -1)}, and move what is in this one with pg_dump.`,
  )
}
