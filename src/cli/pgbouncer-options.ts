import type { CertificateFiles } from './postgres-options.ts'

/** How PgBouncer is to run, and in front of what. */
export interface PgBouncerOptions {
  /** 0 or absent: a free one. */
  port?: number
  /** The Postgres behind it, reached without TLS. */
  upstream: { host: string; port: number }
  /** Passwords by user, for its clients and for its own login at Postgres. */
  users: Readonly<Record<string, string>>
  /**
   * Connection parameters by database name, as in the section `[databases]`, on top of the upstream.
   * Absent: every database of the upstream.
   */
  databases?: Readonly<Record<string, Readonly<Record<string, string | number>>>>
  /** Default: `transaction`. */
  poolMode?: 'transaction' | 'session' | 'statement'
  /** Server connections for each user and database. Default: 20. */
  poolSize?: number
  /** Default: 500. */
  maxClientConnections?: number
  /** How clients prove who they are. Default: `scram-sha-256`. */
  authType?: 'scram-sha-256' | 'md5' | 'plain' | 'trust'
  /** Offer TLS to clients, or insist on it. The files are copied. */
  tls?: CertificateFiles & { mode?: 'allow' | 'require' }
  /** Settings of the section `[pgbouncer]`, on top of the ones here. */
  settings?: Readonly<Record<string, string>>
  /** Gives up a start that is under way. */
  signal?: AbortSignal | undefined
  /** Gets every line that PgBouncer prints. */
  onLog?: (line: string) => void
}
