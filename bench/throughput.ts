/** `npm run bench`: compares clients and writes docs/benchmarks.md. Exits with 1 where a target is missed. */
import { readFile, writeFile } from 'node:fs/promises'
import pg from 'pg'
import { findPgBouncer, startPgBouncer } from '../src/cli/pgbouncer-server.ts'
import { startPostgres } from '../src/cli/postgres-server.ts'
import { makeCertificates } from '../test/support/certificates.ts'
import { type Client, clients } from './clients.ts'
import { guardCost } from './guard-cost.ts'
import { type Comparison, compare } from './measure.ts'
import { startSlowNetwork } from './slow-network.ts'

const DOCUMENT = new URL('../docs/benchmarks.md', import.meta.url)
const ROUNDS = 15
const AT_ONCE = 8
const ONE_WAY_MS = 2
/** What the guard may take of a warm query. */
const MOST_OF_A_QUERY = 0.02

const QUERY = 'select $1::int as id, $2::text as name, now() as at'
const ROWS = `select n as id, 'name ' || n as name, n % 2 = 0 as even, now() as at
  from generate_series(1, $1::int) as n`

/** Something to compare, and how many times postgres.js's rate is wanted. */
interface Case {
  name: string
  tls?: boolean
  /** Whether a network of {@link ONE_WAY_MS} lies in between. */
  far?: boolean
  target?: number
  work: (client: Client) => Promise<void>
}

/**
 * What the server keeps of the password. Poolers in production log in with that: with the password itself,
 * PgBouncer would make a new salt for every login, which no client could know before.
 */
async function storedSecret(): Promise<string> {
  const { host, port } = server
  const client = new pg.Client({ host, port, user, password, database: 'postgres' })
  await client.connect()
  const { rows } = await client.query(
    'select rolpassword from pg_authid where rolname = current_user',
  )
  await client.end()
  const [row] = rows as { rolpassword: string }[]
  if (!row) throw new Error('The user of the server has no password.')
  return row.rolpassword
}

async function coldRequests(client: Client): Promise<void> {
  const requests = async (): Promise<void> => {
    for (let n = 0; n < 10; n += 1) {
      await client.request(async (run) => {
        await run(QUERY, [n, 'alice'])
      })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, requests))
}

async function warmQueries(client: Client, count: number): Promise<void> {
  await client.request(async (run) => {
    for (let n = 0; n < count; n += 1) await run(QUERY, [n, 'alice'])
  })
}

async function largeSelect(client: Client): Promise<void> {
  await client.request(async (run) => {
    const rows = await run(ROWS, [100_000])
    if (rows.length !== 100_000) throw new Error(`${rows.length} rows.`)
  })
}

const CASES: readonly Case[] = [
  { name: 'connect, one query, close', target: 1.2, work: coldRequests },
  { name: 'connect, one query, close; TLS', tls: true, work: coldRequests },
  { name: 'connect, one query, close; 4 ms away', far: true, work: coldRequests },
  { name: '1,000 queries in a row', target: 1.3, work: (client) => warmQueries(client, 1_000) },
  { name: '1,000 queries in a row; TLS', tls: true, work: (client) => warmQueries(client, 1_000) },
  { name: '50 queries in a row; 4 ms away', far: true, work: (client) => warmQueries(client, 50) },
  { name: 'one select of 100,000 rows', target: 0.9, work: largeSelect },
]

function row({ name }: Case, results: readonly Comparison[]): string {
  const cells = results.slice(1).flatMap(({ rate, cpu }) => [1 / rate, cpu])
  return `| ${[name.padEnd(36), ...cells.map((cell) => `${cell.toFixed(2)} ×`.padStart(11))].join(' | ')} |`
}

async function measureGuard(client: Client): Promise<string> {
  const { select, update } = await guardCost(client)
  const percent = (share: number): string => `${(share * 100).toFixed(2)} %`
  if (!(Math.max(select, update) < MOST_OF_A_QUERY)) missed.push(`guard: ${percent(update)}`)
  return `The session-state guard takes ${percent(select)} of a warm query that is a \`select\`, ${percent(update)} of an \`update … set\`.`
}

if (!(await findPgBouncer())) throw new Error('PgBouncer is needed: apt-get install pgbouncer.')
const certificates = await makeCertificates()
const { certFile, keyFile } = certificates.server
const server = await startPostgres({})
const { user, password } = server
const secret = await storedSecret()
const pgbouncer = await startPgBouncer({
  upstream: server,
  users: { [user]: secret },
  tls: { certFile, keyFile, mode: 'allow' },
})
const missed: string[] = []
let guardLine = ''
const lines: string[] = []
try {
  const near = { host: pgbouncer.host, port: pgbouncer.port }
  await using far = await startSlowNetwork(near, ONE_WAY_MS)
  for (const one of CASES) {
    const { host, port } = one.far ? far : near
    const login = { host, port, user, password, database: 'postgres' }
    const compared = clients(login, one.tls ? certificates.ca.pem : undefined)
    const results = await compare(compared, ROUNDS, one.work)
    lines.push(row(one, results))
    process.stdout.write(`${lines.at(-1)}\n`)
    const reached = 1 / (results.find(({ name }) => name === 'postgres.js')?.rate ?? Number.NaN)
    if (one.target && !(reached >= one.target)) missed.push(`${one.name}: ${reached.toFixed(2)}`)
  }
  const [ours] = clients({ ...near, user, password, database: 'postgres' })
  if (ours) guardLine = await measureGuard(ours)
} finally {
  await pgbouncer.stop()
  await server.stop()
  await certificates.remove()
}
const text = await readFile(DOCUMENT, 'utf8')
const head = text.slice(0, text.indexOf('| what'))
const header = [
  '| what                                 | postgres.js |         CPU |          pg |         CPU |',
  '| ------------------------------------ | ----------: | ----------: | ----------: | ----------: |',
]
await writeFile(DOCUMENT, `${head}${[...header, ...lines].join('\n')}\n\n${guardLine}\n`)
if (missed.length > 0) {
  process.stderr.write(`Missed: ${missed.join('; ')}\n`)
  process.exitCode = 1
}
