/** `npm start`: the example Worker on a real Postgres, behind a real PgBouncer where there is one. */
import { readFile } from 'node:fs/promises'
import { assertPortFree, PortInUseError } from './free-port.ts'
import { takeInterruption } from './interruption.ts'
import { type EmptyDatabase, startLocalDatabase } from './local-database.ts'
import { withConnection } from './local-driver.ts'
import { startWorker } from './worker-server.ts'

const SEED_FILE = new URL('../../examples/cloudflare-workers/seed.sql', import.meta.url)
const WORKER_CONFIG = new URL('../../wrangler.toml', import.meta.url)
/** The role of the example, which its seed grants what it needs. */
const APPLICATION = 'library'

const interruption = takeInterruption(() => console.log('Stopping.'))
/** What is still coming up when somebody interrupts is no news any more. */
const print = (line: string) => {
  if (!interruption.signal.aborted) console.log(line)
}

try {
  const problem = await runUntilInterrupted()
  if (problem !== undefined) fail(problem)
} catch (error) {
  if (!interruption.signal.aborted) fail(explain(error))
}

/** Resolves with a sentence if one of the servers ended before anybody interrupted. */
async function runUntilInterrupted(): Promise<string | undefined> {
  const port = portOf('PORT', 8787)
  const poolerPort = portOf('POOLER_PORT', 6543)
  print('Starting Postgres, PgBouncer and the example Worker. Ctrl-C stops them.')
  if (port === poolerPort) throw new Error(`PORT and POOLER_PORT are both ${port}.`)
  // Before anything that takes time.
  await assertPortFree(port)
  await assertPortFree(poolerPort)
  const { signal, happened } = interruption
  const database = await startLocalDatabase({
    poolerPort,
    application: APPLICATION,
    prepare: seed,
    print,
  })
  try {
    signal.throwIfAborted()
    print('Building the Worker.')
    const secrets = { DATABASE_URL: database.url }
    const worker = await startWorker({ configFile: WORKER_CONFIG, port, secrets, signal })
    try {
      print(`The Worker is up on ${worker.url}, in workerd.\n\nTry it: curl ${worker.url}/books\n`)
      return await Promise.race([
        happened.then(() => undefined),
        database.ended,
        worker.ended.then(() => 'The Worker has ended.'),
      ])
    } finally {
      await worker.stop()
    }
  } finally {
    await database.stop()
  }
}

/** The tables are the superuser's: the Worker reads and adds books, and needs no more. */
async function seed({ superuserUrl }: EmptyDatabase): Promise<void> {
  await withConnection(superuserUrl, async (sql) => {
    await sql.unsafe(await readFile(SEED_FILE, 'utf8'))
    const [row] = await sql<{ books: number }[]>`select count(*)::int as books from books`
    print(`The database "${APPLICATION}" holds ${row?.books} books.`)
  })
}

function portOf(variable: string, fallback: number): number {
  const text = process.env[variable]
  if (!text) return fallback
  const port = Number(text)
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port
  throw new Error(`${variable} must be a port from 1 to 65535, and is "${text}".`)
}

function explain(error: unknown): string {
  if (!(error instanceof PortInUseError)) {
    return error instanceof Error ? error.message : String(error)
  }
  const variable = error.port === portOf('PORT', 8787) ? 'PORT' : 'POOLER_PORT'
  const other = error.port < 65_535 ? error.port + 1 : error.port - 1
  return `${error.message} Stop what listens there, or choose another one: ${variable}=${other} npm start`
}

function fail(problem: string): void {
  console.error(problem)
  process.exitCode = 1
}
