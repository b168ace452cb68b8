/** What the global set-up started, as plain data that reaches every worker, workerd's too. */
export interface TestServers {
  postgres: { host: string; port: number; user: string; password: string }
  /** Absent where PgBouncer is not installed; the suites that need it are then left out, and say so. */
  pgbouncer?: { host: string; port: number; adminUrl: string }
  /** A database for the tests inside of workerd, which cannot make one. */
  workerdDatabase: string
  /** The same for those that reach it through a Hyperdrive binding. */
  hyperdriveDatabase: string
  certificateFiles: { certFile: string; keyFile: string }
  /** The root that signed the servers' certificates, PEM. */
  ca: string
  /** The same, as a file. */
  caFile: string
  /** A root that did not, PEM. */
  otherCa: string
}

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServers
  }
}

/** A connection string for a database of the test bed. */
export function databaseUrl(
  at: { host: string; port: number },
  database: string,
  login: { user: string; password: string },
): string {
  const { user, password } = login
  return `postgres://${user}:${encodeURIComponent(password)}@${at.host}:${at.port}/${database}`
}
