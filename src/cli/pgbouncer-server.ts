import { randomBytes } from 'node:crypto'
import { type RunningServer, startServer } from './child-process.ts'
import { findPgBouncer } from './find-pgbouncer.ts'
import { assertPortFree, LOOPBACK, startOnPort } from './free-port.ts'
import { withConnection } from './local-driver.ts'
import { type Administrator, writeConfig } from './pgbouncer-config.ts'
import type { PgBouncerOptions } from './pgbouncer-options.ts'
import { createServerFolder, type ServerFolder } from './server-folder.ts'
import { serverIdentity } from './server-identity.ts'
import { type ServerUrlOptions, serverUrl } from './server-url.ts'

export { findPgBouncer } from './find-pgbouncer.ts'
export type { PgBouncerOptions } from './pgbouncer-options.ts'

/** A PgBouncer that accepts connections on the loopback address. */
export interface PgBouncerServer {
  readonly host: '127.0.0.1'
  readonly port: number
  /** For example `1.18.0`. */
  readonly version: string
  readonly pid: number
  /** Of the admin console. */
  readonly adminUrl: string
  /** Resolves when PgBouncer has ended, for whatever reason. */
  readonly ended: Promise<void>
  /** A connection string, for the first of the users and the database `postgres` unless told otherwise. */
  url(options?: ServerUrlOptions): string
  /** Ends PgBouncer at once and removes its folder. Can be called again. */
  stop(): Promise<void>
}

/**
 * Starts the PgBouncer that is installed on this machine, in transaction mode.
 *
 * Works as root too: it then runs as the user `postgres` or `nobody`. It ends with
 * {@link PgBouncerServer.stop}, or together with this process, even where that is killed.
 *
 * @throws PortInUseError where somebody listens on the given port already.
 */
export async function startPgBouncer(options: PgBouncerOptions): Promise<PgBouncerServer> {
  const file = await findPgBouncer()
  if (file === undefined) {
    throw new Error(
      'PgBouncer is not installed: "apt-get install pgbouncer" or "brew install pgbouncer".',
    )
  }
  if (options.port) await assertPortFree(options.port)
  const folder = await createServerFolder('pgbouncer', await serverIdentity())
  // A name that no application has: its password is not in the users' hands.
  const administrator = {
    user: 'nullpool_admin',
    password: randomBytes(18).toString('base64url'),
  }
  try {
    return await startOnPort(options.port, async (port) => {
      const config = await writeConfig(folder, port, options, administrator)
      const server = await startServer(
        { file, arguments: [config], folder, onLog: options.onLog, signal: options.signal },
        // It keeps nothing that must be saved, and every other signal has changed its meaning
        // between its versions: since 1.23 SIGTERM waits for the clients.
        { readyLine: 'process up: PgBouncer', stopSignal: 'SIGKILL' },
      )
      return await describeServer(server, folder, port, options, administrator)
    })
  } catch (error) {
    await folder.remove()
    throw error
  }
}

async function describeServer(
  server: RunningServer,
  folder: ServerFolder,
  port: number,
  options: PgBouncerOptions,
  administrator: Administrator,
): Promise<PgBouncerServer> {
  const [user = '', password = ''] = Object.entries(options.users)[0] ?? []
  const adminUrl = serverUrl({ port, ...administrator, database: 'pgbouncer' })
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= endAndRemove(server, folder)
    return stopped
  }
  try {
    const version = await askVersion(adminUrl, options.tls?.mode === 'require')
    return {
      host: LOOPBACK,
      port,
      version,
      pid: server.pid,
      adminUrl,
      ended: server.ended,
      url: (url) => serverUrl({ port, user, password, database: 'postgres' }, url),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Also the proof that it not only runs but answers. */
async function askVersion(adminUrl: string, tls: boolean): Promise<string> {
  return await withConnection(
    adminUrl,
    async (sql) => {
      const [row] = await sql.unsafe<{ version: string }[]>('SHOW VERSION')
      return row?.version.replace('PgBouncer ', '') ?? 'unknown'
    },
    // The console knows its own commands only, not the catalogue.
    { fetch_types: false, ssl: tls && { rejectUnauthorized: false } },
  )
}

async function endAndRemove(server: RunningServer, folder: ServerFolder): Promise<void> {
  await server.stop()
  await folder.remove()
}
