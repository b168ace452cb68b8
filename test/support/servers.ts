/** What the global set-up started, as plain data that reaches every worker, workerd's too. */
export interface TestServers {
  postgres: { host: string; port: number; user: string; password: string }
  /** Absent where PgBouncer is not installed; the suites that need it are then left out, and say so. */
  pgbouncer?: { host: string; port: number; adminUrl: string }
  certificateFiles: { certFile: string; keyFile: string }
  /** The root that signed the servers' certificates, PEM. */
  ca: string
  /** A root that did not, PEM. */
  otherCa: string
}

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServers
  }
}
