import { createHash } from 'node:crypto'
import { access, readdir, readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { Sql } from 'postgres'
import { CommandFailure } from '../failure.ts'
import { copiesFromStdin } from './copies-from-stdin.ts'

/** SQL that makes the tables, or fills them. */
export interface SqlFile {
  /** What it is remembered by: its name, without the folder. */
  name: string
  path: string
}

/** The `.sql` files of a folder in the order of their names, then the single files in the given order. */
export async function listSqlFiles(
  migrationsFolder: string | undefined,
  seedFiles: readonly string[],
): Promise<SqlFile[]> {
  // Before a server is started for nothing.
  for (const path of seedFiles) await access(path).catch((error) => unreadable(path, error))
  const names = migrationsFolder === undefined ? [] : await sqlFilesOf(migrationsFolder)
  return [
    ...names.map((name) => ({ name, path: join(migrationsFolder ?? '', name) })),
    // With its folder, because a migration may have the same name.
    ...seedFiles.map((path) => ({ name: `${resolve(path)}`, path })),
  ]
}

/**
 * Runs the files that have not run in this database yet, and remembers them in `nullpool_dev.files`.
 *
 * Each is one transaction, unless it begins and ends its own. One that fails ends it all, and those before it stay.
 */
export async function runSqlFiles(
  sql: Sql,
  files: readonly SqlFile[],
  print: (line: string) => void,
): Promise<void> {
  await sql.unsafe(`create schema if not exists nullpool_dev;
    create table if not exists nullpool_dev.files (
      name text primary key,
      sha256 text not null,
      ran_at timestamptz not null default now()
    )`)
  const rows = await sql<{ name: string; sha256: string }[]>`
    select name, sha256 from nullpool_dev.files`
  const known = new Map(rows.map(({ name, sha256 }) => [name, sha256]))
  for (const file of files) {
    const text = await read(file.path)
    const sha256 = createHash('sha256').update(text).digest('hex')
    const before = known.get(file.name)
    if (before !== undefined) {
      if (before !== sha256) {
        print(`${basename(file.path)} has changed since it ran here. It is not run again.`)
      }
      continue
    }
    await run(sql, file, text)
    await sql`insert into nullpool_dev.files (name, sha256) values (${file.name}, ${sha256})`
    print(`Ran ${basename(file.path)}.`)
  }
}

async function run(sql: Sql, { path }: SqlFile, text: string): Promise<void> {
  if (copiesFromStdin(text)) {
    throw new CommandFailure(
      `${path} holds COPY … FROM stdin, which only psql can run. Make it with pg_dump --inserts, or run it with psql.`,
    )
  }
  try {
    await sql.unsafe(text)
  } catch (error) {
    const { message, position, hint } = error as Error & { position?: string; hint?: string }
    const line = position ? `, line ${text.slice(0, Number(position)).split('\n').length}` : ''
    throw new CommandFailure(`${path}${line}: ${message}${hint ? ` (${hint})` : ''}`, {
      cause: error,
    })
  }
  // What one file sets, as dumps do with search_path, is not for the next.
  await sql.unsafe('discard all').catch((cause: Error) => {
    throw new CommandFailure(`${path} leaves something open behind its end: ${cause.message}.`, {
      cause,
    })
  })
}

async function sqlFilesOf(folder: string): Promise<string[]> {
  try {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
    if (names.length > 0) return names
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CommandFailure(`The folder ${folder} cannot be read (${code}).`, { cause: error })
  }
  throw new CommandFailure(`The folder ${folder} holds no .sql file.`)
}

async function read(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error) => unreadable(path, error))
  return text.replace(/^\ufeff/, '')
}

function unreadable(path: string, cause: NodeJS.ErrnoException): never {
  throw new CommandFailure(`The file ${path} cannot be read (${cause.code}).`, { cause })
}
