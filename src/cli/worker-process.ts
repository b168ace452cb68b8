/**
 * Runs a Worker in workerd, for {@link file://./worker-server.ts}.
 *
 * In a process of its own because Miniflare answers SIGINT with `process.exit`, which leaves nobody
 * the time to end a database.
 */
import { unstable_DevEnv as DevEnv } from 'wrangler'
import type { WorkerOrder, WorkerOutcome } from './worker-messages.ts'

/** What Wrangler's types leave open. */
interface WorkerLog {
  level: string
  message: string
}

const environment = new DevEnv()

process.once('message', (order: WorkerOrder) => {
  run(order).catch((error: unknown) => tell({ state: 'failed', reason: reasonOf(error) }))
})
// The parent asks us to stop by this, and does so even where it is killed.
process.once('disconnect', () => {
  const leave = () => process.exit()
  environment.teardown().then(leave, leave)
})

async function run(order: WorkerOrder): Promise<void> {
  environment.once('reloadComplete', () => tell({ state: 'ready' }))
  environment.once('buildFailed', () => {
    tell({ state: 'failed', reason: 'The Worker could not be built.' })
  })
  environment.on('error', (event: { cause?: unknown }) => {
    tell({ state: 'failed', reason: reasonOf(event) })
  })
  const bindings = Object.entries(order.secrets).map(([name, value]) => [
    name,
    { type: 'secret_text', value },
  ])
  await environment.startWorker({
    config: order.configFile,
    build: { tsconfig: order.tsconfigFile },
    bindings: Object.fromEntries(bindings),
    dev: {
      server: { hostname: order.host, port: order.port },
      inspector: false,
      persist: false,
      watch: true,
      logLevel: 'error',
      structuredLogsHandler: ({ level, message }: WorkerLog) => {
        const stream = level === 'error' || level === 'warn' ? process.stderr : process.stdout
        stream.write(`${message}\n`)
      },
    },
  })
}

/** The parent may be gone already, and then nobody wants to know. */
function tell(outcome: WorkerOutcome): void {
  if (process.connected) process.send?.(outcome)
}

/** Wrangler wraps what went wrong in what it was doing. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Object && 'cause' in error ? error.cause : undefined
  if (cause) return reasonOf(cause)
  return error instanceof Error ? error.message : String(error)
}
