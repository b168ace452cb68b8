import { LOOPBACK } from './free-port.ts'

/** What a connection string can say differently from its server's default. */
export interface ServerUrlOptions {
  database?: string
  user?: string
  password?: string
}

/** A connection string; what is not told is the server's own. */
export function serverUrl(
  server: Required<ServerUrlOptions> & { port: number },
  options: ServerUrlOptions = {},
): string {
  const [user, password, database] = [
    options.user ?? server.user,
    options.password ?? server.password,
    options.database ?? server.database,
  ].map(encodeURIComponent)
  return `postgres://${user}:${password}@${LOOPBACK}:${server.port}/${database}`
}
