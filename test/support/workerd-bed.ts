import { createDatabase } from 'nullpool'
import { inject } from 'vitest'
import { databaseUrl } from './servers.ts'

/**
 * The database that the set-up made for tests inside of workerd. They look at it through the package
 * itself: the bare driver leaves an unhandled rejection behind every `sql.end()` there (postgres#1202).
 */
export interface WorkerdBed {
  /** A connection string through PgBouncer. */
  readonly url: string
  readonly at: { host: string; port: number }
  pooledClients(): Promise<number>
  idleInTransaction(): Promise<number>
}

export function workerdBed(): WorkerdBed {
  const servers = inject('servers')
  const { pgbouncer, postgres, workerdDatabase } = servers
  const look = <T extends object>(url: string, text: string): Promise<T[]> =>
    createDatabase({ url }).run({}, async ({ sql }) => [...(await sql.unsafe<T[]>(text))])
  return {
    url: databaseUrl(pgbouncer ?? postgres, workerdDatabase, postgres),
    at: pgbouncer ?? postgres,
    async pooledClients() {
      if (!pgbouncer) throw new Error('PgBouncer is not installed')
      const rows = await look<{ database: string }>(pgbouncer.adminUrl, 'show clients')
      return rows.filter((row) => row.database === workerdDatabase).length
    },
    async idleInTransaction() {
      const rows = await look(
        databaseUrl(postgres, 'postgres', postgres),
        `select pid from pg_stat_activity
         where datname = '${workerdDatabase}' and state like 'idle in transaction%'`,
      )
      return rows.length
    },
  }
}
