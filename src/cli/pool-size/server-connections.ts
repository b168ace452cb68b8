import type { Sql } from 'nullpool'

/** Connections of one role under one name, as they are at one moment. */
export interface ConnectionGroup {
  role: string
  /** What the client calls itself; empty where it says nothing. */
  application: string
  count: number
}

/** What a server has, and who takes of it. */
export interface ServerConnections {
  maxConnections: number
  /** `superuser_reserved_connections` and `reserved_connections`. */
  reserved: number
  /** Without the one that asks. The largest first. */
  groups: ConnectionGroup[]
}

/**
 * Asks a server what connections it has, in one round trip.
 *
 * Roles and names are visible to everybody, what they do is not; so that is not asked. Behind a pooler, these are the
 * pooler's connections to the server, not its clients.
 */
export async function readServerConnections(sql: Sql): Promise<ServerConnections> {
  const [row] = await sql<
    { max: number; reserved: number; groups: ConnectionGroup[] }[]
  >`select current_setting('max_connections')::int as max,
      current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true), '0')::int as reserved,
      coalesce((
        select json_agg(g order by g.count desc, g.role, g.application) from (
          select usename as role, coalesce(application_name, '') as application, count(*)::int as count
          from pg_stat_activity
          -- Other roles' kinds are hidden; what belongs to no database is a process of the server.
          where coalesce(backend_type, 'client backend') = 'client backend'
            and datid is not null and usename is not null and pid <> pg_backend_pid()
          group by 1, 2
        ) g
      ), '[]'::json) as groups`
  if (row === undefined) throw new Error('The server has given no row.')
  return { maxConnections: row.max, reserved: row.reserved, groups: row.groups }
}
