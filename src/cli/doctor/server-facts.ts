import type { PoolerSession } from './pooler-session.ts'

/** What the server says of itself and of the role. */
export interface ServerFacts {
  version: string
  versionNumber: number
  maxConnections: number
  /** Kept back for superusers and, from Postgres 16 on, for `pg_use_reserved_connections`. */
  reservedConnections: number
  role: string
  database: string
  isSuperuser: boolean
  inRecovery: boolean
  /** `-1`: no limit of its own. */
  roleConnectionLimit: number
  statementTimeout: string
  idleInTransactionTimeout: string
  lockTimeout: string
}

/** Connections of the whole server, and to whom they belong. */
export interface Connections {
  used: number
  by: { user: string; application: string; database: string; count: number }[]
}

/** A time limit that a role or a database brings along. */
export interface TimeoutSetting {
  role: string
  database: string
  setting: string
  value: string
}

/** Told apart by name, as far as they matter to a request or its pooler. */
const EXTENSIONS = [
  'pg_stat_statements',
  'pg_net',
  'http',
  'pg_cron',
  'pg_graphql',
  'pgjwt',
  'pgsodium',
  'supabase_vault',
  'vector',
  'postgis',
  'pg_trgm',
  'timescaledb',
  'citus',
  'neon',
]

/** One row, everything text; settings that an older server has not are left out by `true`. */
export async function readServer(session: PoolerSession): Promise<ServerFacts> {
  const [row = []] = await session.query(`
    select current_setting('server_version'), current_setting('server_version_num'),
      current_setting('max_connections'),
      current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true), '0')::int,
      current_user, current_database(), r.rolsuper, pg_is_in_recovery(), r.rolconnlimit,
      current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout'),
      current_setting('lock_timeout')
    from pg_roles r where r.rolname = current_user`)
  const text = (column: number): string => row[column] ?? ''
  return {
    version: text(0).split(' ')[0] ?? '',
    versionNumber: Number(text(1)),
    maxConnections: Number(text(2)),
    reservedConnections: Number(text(3)),
    role: text(4),
    database: text(5),
    isSuperuser: text(6) === 't',
    inRecovery: text(7) === 't',
    roleConnectionLimit: Number(text(8)),
    statementTimeout: text(9),
    idleInTransactionTimeout: text(10),
    lockTimeout: text(11),
  }
}

/**
 * Who is connected is for everybody to see; what they do is not, and is not asked. Ordinary roles do not see
 * the kind of a backend: a worker of an extension then counts as a client.
 */
export async function readConnections(session: PoolerSession): Promise<Connections> {
  const rows = await session.query(`
    select usename, coalesce(application_name, ''), coalesce(datname, ''), count(*)
    from pg_stat_activity
    where usename is not null and datname is not null and (backend_type is null or backend_type = 'client backend')
    group by 1, 2, 3 order by 4 desc, 1, 2, 3 limit 200`)
  const by = rows.map(([user, application, database, count]) => ({
    user: user ?? '',
    application: application ?? '',
    database: database ?? '',
    count: Number(count),
  }))
  return { used: by.reduce((sum, { count }) => sum + count, 0), by }
}

/** Of the role itself, of this database, and of the roles that the Data API takes. */
export async function readTimeouts(session: PoolerSession): Promise<TimeoutSetting[]> {
  const rows = await session.query(`
    select coalesce(r.rolname, ''), coalesce(d.datname, ''),
      split_part(setting, '=', 1), split_part(setting, '=', 2)
    from pg_db_role_setting s
    left join pg_roles r on r.oid = s.setrole left join pg_database d on d.oid = s.setdatabase,
      unnest(s.setconfig) setting
    where split_part(setting, '=', 1) in
        ('statement_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout', 'transaction_timeout')
      and (r.rolname is null or r.rolname in
        (current_user, 'anon', 'authenticated', 'authenticator', 'service_role'))
      and (d.datname is null or d.datname = current_database())
    order by 1, 2, 3 limit 100`)
  return rows.map(([role, database, setting, value]) => ({
    role: role ?? '',
    database: database ?? '',
    setting: setting ?? '',
    value: value ?? '',
  }))
}

/** Installed in this database. */
export async function readExtensions(
  session: PoolerSession,
): Promise<{ name: string; version: string }[]> {
  const names = EXTENSIONS.map((name) => `'${name}'`).join(', ')
  const rows = await session.query(
    `select extname, extversion from pg_extension where extname in (${names}) order by 1`,
  )
  return rows.map(([name, version]) => ({ name: name ?? '', version: version ?? '' }))
}
