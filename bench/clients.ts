import { createDatabase } from 'nullpool'
import pg from 'pg'
import postgres from 'postgres'

/** Where to log in. */
export interface Login {
  host: string
  port: number
  user: string
  password: string
  database: string
}

/** Runs one statement; resolves to its rows. */
export type Run = (text: string, values: (string | number)[]) => Promise<readonly unknown[]>

/** A client as an edge function would use it: made for one request, ended with it. */
export interface Client {
  name: 'nullpool' | 'postgres.js' | 'pg'
  /** Connects, lets `work` run statements, and resolves when the goodbye was said. */
  request(work: (run: Run) => Promise<void>): Promise<void>
}

/** The clients to compare, each with the options that its users are told for transaction mode. */
export function clients({ host, port, user, password, database }: Login, ca?: string): Client[] {
  const url = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`
  const ours = createDatabase({ url, tls: ca ? { ca } : 'disable' })
  const login = { host, port, user, password, database, ssl: ca ? { ca } : false }
  return [
    {
      name: 'nullpool',
      async request(work) {
        await using scope = ours.scope()
        await work((text, values) => scope.sql.unsafe(text, values))
      },
    },
    {
      name: 'postgres.js',
      async request(work) {
        const sql = postgres({ ...login, max: 1, prepare: false, fetch_types: false })
        await work((text, values) => sql.unsafe(text, values))
        await sql.end()
      },
    },
    {
      name: 'pg',
      async request(work) {
        const client = new pg.Client(login)
        await client.connect()
        await work(async (text, values) => (await client.query(text, values)).rows)
        await client.end()
      },
    },
  ]
}
