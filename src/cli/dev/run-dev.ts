import { CommandFailure, requireName } from '../failure.ts'
import type { Interruption } from '../interruption.ts'
import { type EmptyDatabase, type LocalDatabase, startLocalDatabase } from '../local-database.ts'
import { withConnection } from '../local-driver.ts'
import { untilAborted } from '../time-limit.ts'
import { startCommand } from './attached-command.ts'
import { findEmbeddedPostgres } from './embedded-postgres.ts'
import type { LocalCertificate } from './local-certificate.ts'
import type { LocalGateway, LocalGatewayTarget } from './local-gateway.ts'
import { localSecret } from './local-secret.ts'
import { listSqlFiles, runSqlFiles, type SqlFile } from './migrations.ts'
import { checkPorts } from './ports.ts'
import { AUTHENTICATOR, supabaseSchema } from './supabase-schema.ts'
import { trustEnvironment } from './trusted-authority.ts'

/** The role of the application, and its database. */
const APPLICATION = 'app'

/** What `nullpool dev` was asked for. */
export interface DevOptions {
  port: number
  migrations?: string
  sql: readonly string[]
  data?: string
  tls: boolean
  /** The port of the gateway; absent: none. */
  gateway?: number
  supabase: boolean
  /** A program to run, with its arguments; empty: none. */
  command: readonly string[]
  /** The version of `embedded-postgres` to install where there is none. */
  postgresVersion: string
  mayInstall: (folder: string) => Promise<boolean>
}

/** What is up; the shape of `--json`. */
export interface DevAnswer {
  /** The connection string of the application. */
  url: string
  /** The same past the pooler, for what needs a session. */
  directUrl: string
  /** As Supabase's services log in, with `--supabase`. */
  authenticatorUrl: string | null
  postgres: { version: string }
  /** `null` where PgBouncer is not installed, and `url` leads to Postgres itself. */
  pooler: { version: string; mode: 'transaction' } | null
  /** The authority that signed the servers' certificate, with `--tls`. */
  caFile: string | null
  /** The door for runtimes without TCP, with `--gateway`. */
  gateway: { url: string; token: string } | null
}

/** Where its lines go. */
export interface DevOutput {
  /** Progress. */
  print: (line: string) => void
  /** What is up, once it is. */
  answer: (answer: DevAnswer) => void
}

/**
 * Runs a local database until it is interrupted or the command ends; resolves with the exit code.
 *
 * The command ends before the database does, and everything ends where one of the servers does.
 */
export async function runDev(
  options: DevOptions,
  interruption: Interruption,
  { print, answer }: DevOutput,
): Promise<number> {
  const { signal } = interruption
  signal.throwIfAborted()
  // Before anything that takes time.
  requireName('--data', 'folder', options.data)
  requireName('--migrations', 'folder', options.migrations)
  for (const file of options.sql) requireName('--sql', 'file', file)
  await checkPorts(options)
  const files = await listSqlFiles(options.migrations, options.sql)
  const finding = findEmbeddedPostgres({
    projectFolder: process.cwd(),
    version: options.postgresVersion,
    mayInstall: options.mayInstall,
    print,
    signal,
  })
  const embeddedPostgres = await Promise.race([finding, untilAborted(signal)])
  signal.throwIfAborted()
  const certificate = options.tls ? await certify() : undefined
  signal.throwIfAborted()
  const database = await startLocalDatabase({
    poolerPort: options.port,
    application: APPLICATION,
    password: await localSecret('dev-password'),
    otherRoles: options.supabase ? [AUTHENTICATOR] : [],
    prepare: (empty) => prepare(empty, options.supabase, files, print),
    dataDirectory: options.data,
    tls: certificate,
    embeddedPostgres,
    signal,
    print,
  })
  let gateway: LocalGateway | undefined
  try {
    signal.throwIfAborted()
    if (options.gateway !== undefined) {
      const pooled = database.pgbouncerVersion !== undefined
      gateway = await openGateway(options.gateway, { port: options.port, pooled })
    }
    const found = describe(database, certificate, gateway, options.supabase)
    if (found.pooler === null) print(WITHOUT_POOLER)
    answer(found)
    return await runBeside(database, found, options.command, interruption)
  } finally {
    await gateway?.stop()
    await database.stop()
  }
}

const WITHOUT_POOLER =
  'What is different then: each connection is a session of its own, so SET, LISTEN, advisory locks and prepared statements last here that a transaction-mode pooler would lose, and connections are not shared.'

/** Loaded for who asks for it: it brings a server for HTTP along. */
async function openGateway(port: number, target: LocalGatewayTarget): Promise<LocalGateway> {
  const { startLocalGateway } = await import('./local-gateway.ts')
  return await startLocalGateway(port, target)
}

/** What makes certificates is large, and most starts need none. */
async function certify(): Promise<LocalCertificate> {
  const { localCertificate } = await import('./local-certificate.ts')
  return await localCertificate()
}

async function prepare(
  { superuserUrl, url }: EmptyDatabase,
  supabase: boolean,
  files: readonly SqlFile[],
  print: (line: string) => void,
): Promise<void> {
  await withConnection(superuserUrl, async (sql) => {
    await sql.unsafe(`alter database ${APPLICATION} owner to ${APPLICATION};
      alter role ${APPLICATION} createrole createdb;
      alter role ${APPLICATION} set createrole_self_grant = 'set, inherit'`)
    if (supabase) await sql.unsafe(supabaseSchema(APPLICATION))
  })
  // As the application: tables of the superuser's would be closed to it.
  if (files.length > 0) await withConnection(url, (sql) => runSqlFiles(sql, files, print))
}

function describe(
  { url, directUrl, postgresVersion, pgbouncerVersion }: LocalDatabase,
  certificate: LocalCertificate | undefined,
  gateway: LocalGateway | undefined,
  supabase: boolean,
): DevAnswer {
  return {
    url,
    directUrl,
    authenticatorUrl: supabase ? url.replace(`//${APPLICATION}:`, `//${AUTHENTICATOR}:`) : null,
    postgres: { version: postgresVersion },
    pooler:
      pgbouncerVersion === undefined ? null : { version: pgbouncerVersion, mode: 'transaction' },
    caFile: certificate?.caFile ?? null,
    gateway: gateway === undefined ? null : { url: gateway.url, token: gateway.token },
  }
}

/** What the command, or nothing, runs beside; until the first of them ends. */
async function runBeside(
  database: LocalDatabase,
  { url, caFile, gateway }: DevAnswer,
  parts: readonly string[],
  interruption: Interruption,
): Promise<number> {
  const failed = database.ended.then((sentence) => {
    throw new CommandFailure(sentence, 1)
  })
  if (parts.length === 0) {
    await Promise.race([interruption.happened, failed])
    return 0
  }
  const trust = caFile === null ? {} : await trustEnvironment(caFile)
  const door = gateway === null ? {} : { GATEWAY_URL: gateway.url, GATEWAY_TOKEN: gateway.token }
  // Ctrl-C of a terminal does not reach a program that is not there yet.
  if (interruption.signal.aborted) return 0
  const command = await startCommand(parts, { ...trust, ...door, DATABASE_URL: url })
  try {
    const code = await Promise.race([command.ended, interruption.happened, failed])
    return code ?? (await command.stop(interruption.name ?? 'SIGTERM'))
  } catch (error) {
    await command.stop('SIGTERM').catch(() => {})
    throw error
  }
}
