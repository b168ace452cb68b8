/** `npm start`: the example Worker on a real Postgres, behind a real PgBouncer where there is one. */
import { assertPortFree, PortInUseError } from './free-port.ts'
import { startLocalDatabase } from './local-database.ts'
import { startWorker } from './worker-server.ts'

const SEED_FILE = new URL('../../examples/cloudflare-workers/seed.sql', import.meta.url)
const WORKER_CONFIG = new URL('../../wrangler.toml', import.meta.url)

const interruption = new AbortController()
/** What is still coming up when somebody interrupts is no news any more. */
const print = (line: string) => {
  if (!interruption.signal.aborted) console.log(line)
}

const interrupted = new Promise<void>((resolve) => {
  interruption.signal.addEventListener('abort', () => resolve())
})
// Every signal but the first is of no use: npm passes on the Ctrl-C that reached us already.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    print('Stopping.')
    interruption.abort()
  })
}
// Whoever read along is gone, as in `npm start | head`.
process.stdout.on('error', () => interruption.abort())

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
  const { signal } = interruption
  const database = await startLocalDatabase({ poolerPort, seedFile: SEED_FILE, print })
  try {
    signal.throwIfAborted()
    print('Building the Worker.')
    const secrets = { DATABASE_URL: database.url }
    const worker = await startWorker({ configFile: WORKER_CONFIG, port, secrets, signal })
    try {
      print(`The Worker is up on ${worker.url}, in workerd.\n\nTry it: curl ${worker.url}/books\n`)
      return await Promise.race([
        interrupted.then(() => undefined),
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
