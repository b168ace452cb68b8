// What requests do, for the table of round trips: the same work for postgres.js, bare or on this wire,
// and for pg.

import type { Sql } from 'postgres'

/** What of `pg` is used here; it brings no types. */
export interface PgClient {
  connect(): Promise<void>
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
  end(): Promise<void>
}

/** One row of the table. */
export interface Shape {
  name: string
  /** Whether the login counts; otherwise the same has been done once on the same connection. */
  cold: boolean
  /** What it does where the wire makes the settings, by which somebody is told. */
  claimed?: (sql: Sql) => Promise<unknown>
  postgres: (sql: Sql) => Promise<unknown>
  pg: (client: PgClient) => Promise<unknown>
}

const QUERY = 'select $1::int as n'
/** Somebody, by a role that every server has. */
export const CLAIMS = [
  ['request.jwt.claims', '{"sub":"x"}'],
  ['role', 'pg_read_all_data'],
] as const
const SETTINGS = `select ${CLAIMS.map((one) => `set_config('${one.join("', '")}', true)`).join(', ')}`

const times = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

/** One after another. */
async function each(count: number, work: (n: number) => Promise<unknown>): Promise<void> {
  for (const n of times(count)) await work(n)
}

function transaction(count: number): Pick<Shape, 'postgres' | 'pg'> {
  return {
    postgres: (sql) => sql.begin((tx) => each(count, (n) => tx`select ${n}::int as n`)),
    async pg(client) {
      await client.query('begin')
      await each(count, (n) => client.query(QUERY, [n]))
      await client.query('commit')
    },
  }
}

const SAVEPOINT: Pick<Shape, 'postgres' | 'pg'> = {
  postgres: (sql) => sql.begin((tx) => tx.savepoint((inner) => inner`select ${1}::int as n`)),
  async pg(client) {
    await client.query('begin')
    await client.query('savepoint one')
    await client.query(QUERY, [1])
    await client.query('commit')
  },
}

/** The first thing that is asked on a connection. */
export const PLAIN: Shape = {
  name: 'cold, a plain query',
  cold: true,
  postgres: (sql) => sql`select 1 as n`,
  pg: (client) => client.query('select 1 as n'),
}

const PARAMETERISED: Pick<Shape, 'postgres' | 'pg'> = {
  postgres: (sql) => sql`select ${1}::int as n`,
  pg: (client) => client.query(QUERY, [1]),
}

/** `pg` queues what is asked at once, one after another. */
function atOnce(count: number): Pick<Shape, 'postgres' | 'pg'> {
  return {
    postgres: (sql) => Promise.all(times(count).map((n) => sql.unsafe(`select ${n} as n`))),
    pg: (client) => Promise.all(times(count).map((n) => client.query(`select ${n} as n`))),
  }
}

/** By hand, which takes a transaction for a single query too. */
const UNDER_CLAIMS: Pick<Shape, 'postgres' | 'pg'> = {
  postgres: (sql) =>
    sql.begin(async (tx) => {
      await tx.unsafe(SETTINGS)
      await tx`select ${1}::int as n`
    }),
  async pg(client) {
    await client.query('begin')
    await client.query(SETTINGS)
    await client.query(QUERY, [1])
    await client.query('commit')
  },
}

export const SHAPES: readonly Shape[] = [
  PLAIN,
  { name: 'cold, a parameterised query', cold: true, ...PARAMETERISED },
  { name: 'a parameterised query', cold: false, ...PARAMETERISED },
  { name: '3 plain queries at once', cold: false, ...atOnce(3) },
  { name: '20 plain queries at once', cold: false, ...atOnce(20) },
  { name: '`begin` with 1 query', cold: false, ...transaction(1) },
  { name: '`begin` with 5 queries', cold: false, ...transaction(5) },
  { name: '`begin` with a savepoint of 1 query', cold: false, ...SAVEPOINT },
  { name: 'a query under claims', cold: false, claimed: PARAMETERISED.postgres, ...UNDER_CLAIMS },
  {
    name: '`begin` with 1 query under claims',
    cold: false,
    claimed: transaction(1).postgres,
    ...UNDER_CLAIMS,
  },
  {
    name: 'Drizzle’s select',
    cold: false,
    postgres: (sql) => sql.unsafe(QUERY, [1], { prepare: false }).values(),
    pg: (client) => client.query(QUERY, [1]),
  },
  {
    name: 'Drizzle’s transaction of 1 query',
    cold: false,
    postgres: (sql) => sql.begin((tx) => tx.unsafe(QUERY, [1], { prepare: false }).values()),
    pg: transaction(1).pg,
  },
  {
    name: 'Kysely’s select',
    cold: false,
    async postgres(sql) {
      const own = await sql.reserve()
      await own.unsafe(QUERY, [1])
      own.release()
    },
    pg: (client) => client.query(QUERY, [1]),
  },
]
