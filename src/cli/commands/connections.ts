import { type Command, InvalidArgumentError, Option } from 'commander'
import { readListenAddress } from '../connections/listen-address.ts'
import { showConnections } from '../connections/run.ts'
import { IDLE_LIMIT_SECONDS } from '../connections/warnings.ts'
import { CommandFailure } from '../failure.ts'
import type { ReleaseSignals } from '../held-signals.ts'
import { exitCodeOf, type Interruption, takeInterruption } from '../interruption.ts'
import { readAuthority } from '../source/read-authority.ts'

const DEFAULT_INTERVAL_SECONDS = 2

interface Options {
  admin?: string
  once?: true
  json?: true
  strict?: true
  watch?: number
  web?: string | true
  prometheus?: string
  queries?: true
  idleLimit: number
  ca?: string
}

/** Adds `nullpool connections`. */
export function registerConnections(program: Command, release: ReleaseSignals): void {
  program
    .command('connections')
    .description('who is connected to the database, live: by role, application, state and pool')
    .argument(
      '[url]',
      'a connection string; default: DATABASE_URL, .dev.vars, .env, Wrangler’s configuration',
    )
    .option('--once', 'look once; so it is where the output is no terminal')
    .option('--json', 'print one JSON document; with --watch one a line')
    .option('--watch <seconds>', 'look every so many seconds (default: 2)', seconds(0.2, 3600))
    .option('--web [port]', 'serve a page with live charts on this machine (default: a free port)')
    .option('--prometheus <:port>', 'serve the same to Prometheus, at /metrics')
    .option('--admin <url>', 'PgBouncer’s admin console; without it PGBOUNCER_ADMIN_URL')
    .option('--queries', 'show the last statement of idle transactions, without its literals')
    .addOption(
      new Option('--idle-limit <seconds>', 'warn of transactions that are idle for longer')
        .argParser(seconds(0, 86_400))
        .default(IDLE_LIMIT_SECONDS),
    )
    .option('--ca <file>', 'trust these root certificates (PEM)')
    .option('--strict', 'end with 1 where there is something to warn of')
    .action((url: string | undefined, options: Options) =>
      run(
        url,
        options,
        takeInterruption(() => {}, release),
      ),
    )
}

async function run(
  url: string | undefined,
  options: Options,
  interruption: Interruption,
): Promise<void> {
  const { json = false, web, prometheus, watch } = options
  const isLive = Boolean(watch || web || prometheus || (process.stdout.isTTY && !json))
  const look = await showConnections(
    {
      url,
      admin: options.admin,
      ca: options.ca === undefined ? undefined : await readAuthority(options.ca),
      withQueries: options.queries ?? false,
      intervalMs: (watch ?? DEFAULT_INTERVAL_SECONDS) * 1000,
      idleLimitSeconds: options.idleLimit,
    },
    {
      once: options.once ?? !isLive,
      json,
      web: webAddress(web),
      prometheus: prometheus === undefined ? undefined : readListenAddress(prometheus),
      signal: interruption.signal,
    },
    process.env,
  )
  if (look === undefined) process.exitCode = exitCodeOf(interruption)
  else if (options.strict && look.snapshot.warnings.length > 0) process.exitCode = 1
  // What is under way at a server that does not answer would keep it alive.
  if (isLive || interruption.signal.aborted) process.exit()
}

function webAddress(web: string | true | undefined): { host: string; port: number } | undefined {
  if (web === undefined) return undefined
  const { host, port } = readListenAddress(web === true ? '0' : web)
  if (host === '127.0.0.1' || host === '::1') return { host, port }
  throw new CommandFailure('The page is for this machine alone: give --web a port without a host.')
}

function seconds(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    throw new InvalidArgumentError(`It is a number of seconds from ${least} to ${most}.`)
  }
}
