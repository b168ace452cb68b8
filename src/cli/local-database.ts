import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import postgres from 'postgres'
import { findPgBouncer, type PgBouncerServer, startPgBouncer } from './pgbouncer-server.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

/** What database to start, and where. */
export interface LocalDatabaseOptions {
  /** The port that applications connect to. */
  poolerPort: number
  /** Creates the tables and the application's role. Its name is that of the role and the database. */
  seedFile: URL
  /** Gets one short line for every step. */
  print: (line: string) => void
}

/** A Postgres with a pooler in front, as far as this machine has one. */
export interface LocalDatabase {
  /** The application's connection string. */
  url: string
  /** Resolves with a sentence when one of its servers has ended by itself. */
  ended: Promise<string>
  stop(): Promise<void>
}

/** The role of the application, and the database it is for. */
const APPLICATION = 'library'

/** Starts Postgres and PgBouncer and seeds the database. */
export async function startLocalDatabase(options: LocalDatabaseOptions): Promise<LocalDatabase> {
  const { print, poolerPort } = options
  const pooled = (await findPgBouncer()) !== undefined
  const server = await startPostgres({ onProgress: print, port: pooled ? 0 : poolerPort })
  print(`Postgres ${server.version} is up on port ${server.port}.`)
  try {
    const password = await seed(server, options)
    const pooler = pooled ? await startPooler(server, password, options) : undefined
    if (pooler === undefined) {
      print(
        `PgBouncer is not installed, so Postgres itself listens on ${poolerPort}. To have a pooler: "apt-get install pgbouncer" or "brew install pgbouncer".`,
      )
    }
    const url = { user: APPLICATION, password, database: APPLICATION }
    return {
      // There is no certificate on this way, which never leaves the machine.
      url: `${(pooler ?? server).url(url)}?sslmode=disable`,
      ended: Promise.race([
        server.ended.then(() => 'Postgres has ended.'),
        ...(pooler ? [pooler.ended.then(() => 'PgBouncer has ended.')] : []),
      ]),
      async stop() {
        await pooler?.stop()
        await server.stop()
      },
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}

async function startPooler(
  upstream: PostgresServer,
  password: string,
  { poolerPort, print }: LocalDatabaseOptions,
): Promise<PgBouncerServer> {
  const pooler = await startPgBouncer({
    port: poolerPort,
    upstream,
    users: { [APPLICATION]: password },
  })
  print(`PgBouncer ${pooler.version} is up on port ${pooler.port}, in transaction mode.`)
  return pooler
}

/** Fills the application's database and returns the password of its role. */
async function seed(
  server: PostgresServer,
  { seedFile, print }: LocalDatabaseOptions,
): Promise<string> {
  const password = randomBytes(18).toString('base64url')
  await withConnection(server.url(), (sql) => sql`create database ${sql(APPLICATION)}`)
  await withConnection(server.url({ database: APPLICATION }), async (sql) => {
    await sql.unsafe(await readFile(seedFile, 'utf8'))
    // A utility statement takes no parameters; these characters are letters, digits, - and _.
    await sql.unsafe(`alter role ${APPLICATION} password '${password}'`)
    const [row] = await sql<{ books: number }[]>`select count(*)::int as books from books`
    print(`The database "${APPLICATION}" holds ${row?.books} books.`)
  })
  return password
}

async function withConnection(
  url: string,
  work: (sql: postgres.Sql) => PromiseLike<unknown>,
): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
