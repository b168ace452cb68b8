import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, mkdtemp, readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import postgres from 'postgres'
import { findFreePort } from '../../src/cli/free-port.ts'

/** Runs one piece of work on a connection of its own. */
export async function connected<Result>(
  url: string,
  work: (sql: postgres.Sql) => Promise<Result>,
  options: postgres.Options<Record<string, never>> = {},
): Promise<Result> {
  const sql = postgres(url, { max: 1, prepare: false, fetch_types: false, ...options })
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}

/** The port that the Postgres at the end of the way listens on. */
export async function serverPort(url: string): Promise<number | undefined> {
  return await connected(url, async (sql) => {
    const [row] = await sql<{ port: number }[]>`select inet_server_port() as port`
    return row?.port
  })
}

/** One process of this machine. */
interface Process {
  pid: number
  parent: number
}

/** Every process that runs, without those that have ended and whose parent has not noticed yet. */
async function runningProcesses(): Promise<Process[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,stat='])
  return stdout
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , state]) => !state?.startsWith('Z'))
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }))
}

/** Which of the processes run. */
export async function stillAlive(pids: readonly number[]): Promise<number[]> {
  const running = new Set((await runningProcesses()).map(({ pid }) => pid))
  return pids.filter((pid) => running.has(pid))
}

/** Every process below one, at this moment. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const processes = await runningProcesses()
  const family = [pid]
  for (const member of family) {
    family.push(...processes.filter(({ parent }) => parent === member).map((child) => child.pid))
  }
  return family.slice(1)
}

/** Whether there is such a file or folder. */
export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

/** A folder that also the user of a server started by root can go into. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nullpool-test-'))
  await chmod(folder, 0o777)
  return folder
}

/** Does some work while somebody listens on a port. */
export async function withPortTaken(work: (port: number) => Promise<void>): Promise<void> {
  const port = await findFreePort()
  const occupant = createServer().listen(port, '127.0.0.1')
  await once(occupant, 'listening')
  try {
    await work(port)
  } finally {
    occupant.close()
  }
}

/** What our servers left in a folder for temporary files. */
export async function nullpoolFolders(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('nullpool-'))
}
