import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { inject } from 'vitest'
import { databaseUrl, type TestServers } from './servers.ts'

/** A database of one test file. */
export interface TestDatabase extends AsyncDisposable {
  readonly name: string
  readonly servers: TestServers
  /** A direct connection of the bare driver, for looking from outside. */
  readonly sql: postgres.Sql
  /** A connection string over a server of the test bed, or over a proxy in front of it. */
  url(at: { host: string; port: number }, options?: { password?: string; query?: string }): string
  /** Clients that PgBouncer has for this database now. */
  pooledClients(): Promise<number>
  /** Backends of this database that are in a transaction and wait for their client. */
  idleInTransaction(): Promise<number>
}

/** Makes an empty database. Dispose of it in `afterAll`. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const servers = inject('servers')
  const { host, port, user, password } = servers.postgres
  const name = `nullpool_${randomBytes(6).toString('hex')}`
  const admin = postgres({ host, port, user, password, database: 'postgres', max: 1 })
  await admin`create database ${admin(name)}`
  const sql = postgres({ host, port, user, password, database: name, max: 2, onnotice: () => {} })
  return {
    name,
    servers,
    sql,
    url(at, options = {}) {
      const login = { user, password: options.password ?? password }
      return databaseUrl(at, name, login) + (options.query ?? '')
    },
    async pooledClients() {
      if (!servers.pgbouncer) throw new Error('There is no PgBouncer here.')
      const console = postgres(servers.pgbouncer.adminUrl, {
        max: 1,
        prepare: false,
        fetch_types: false,
      })
      const rows = await console.unsafe('show clients')
      await console.end()
      return rows.filter((row) => row.database === name).length
    },
    async idleInTransaction() {
      const rows = await sql`
        select pid from pg_stat_activity
        where datname = ${name} and state like 'idle in transaction%'`
      return rows.length
    },
    async [Symbol.asyncDispose]() {
      await sql.end()
      await admin`drop database ${admin(name)} with (force)`
      await admin.end()
    },
  }
}
