import { parseConnectionString } from '../../connection-string.ts'
import type { ConnectionTarget } from '../../connection-target.ts'
import { formatAddress } from '../../wire/format-address.ts'
import { CommandFailure } from '../failure.ts'
import { lookForUrl, naming, tellForm, whatToDo } from '../source/given-url.ts'
import { readPastedUrl } from '../source/pasted-url.ts'
import { untilAborted, within } from '../time-limit.ts'
import { connectionUrl, KeptConnection } from './kept-connection.ts'
import type { ListenAddress } from './listen-address.ts'
import { Observer, type Sources } from './observer.ts'
import { type Look, Sampler, type SamplerOptions } from './sampler.ts'
import { showFullScreen } from './screen/full-screen.ts'
import { serveMetrics, servePage } from './serve.ts'
import { renderSnapshot } from './snapshot-table.ts'
import { findProject, SupabaseMetrics } from './supabase-source.ts'

/** Enough to say goodbye to a server that answers. */
const GOODBYE_MS = 200

type Environment = Readonly<Record<string, string | undefined>>

/** What to look at. */
export interface ConnectionsRequest extends SamplerOptions {
  /** Absent: from the environment, or from a file of this folder. */
  url?: string | undefined
  /** Of PgBouncer's admin console. Absent: from the environment, or tried once with the login of `url`. */
  admin?: string | undefined
  /** Root certificates, PEM. */
  ca?: string | undefined
  withQueries: boolean
}

/** How to show it. */
export interface ConnectionsView {
  /** One look, and the end. */
  once: boolean
  json: boolean
  web?: ListenAddress | undefined
  prometheus?: ListenAddress | undefined
  /** Aborts when the process is asked to end. */
  signal: AbortSignal
}

/**
 * Looks at connections and shows them, once or until the signal. Resolves with the last look, or `undefined` where the
 * signal came before the first. A look that is under way at the end is not waited for.
 *
 * @throws CommandFailure where nobody answers the first time.
 */
export async function showConnections(
  request: ConnectionsRequest,
  view: ConnectionsView,
  environment: Environment,
): Promise<Look | undefined> {
  const { signal } = view
  const { sources, place } = await findSources(request, environment)
  const sampler = new Sampler(new Observer(sources), request)
  try {
    const first = await Promise.race([sampler.look(), untilAborted(signal)])
    if (first === undefined) return undefined
    checkAnswered(first)
    if (!view.once) await goOn(sampler, view, place)
    else print(first, view.json)
    return sampler.latest ?? first
  } finally {
    await within(GOODBYE_MS, [sampler.stop()])
  }
}

async function findSources(
  request: ConnectionsRequest,
  environment: Environment,
): Promise<{ sources: Sources; place: string }> {
  const { given, search } = await lookForUrl(request.url)
  if (given !== undefined) tellForm(given)
  const target = given && parseConnectionString(given.text)
  const admin = request.admin ?? (environment.PGBOUNCER_ADMIN_URL || undefined)
  const project = findProject(environment, target?.projectRef)
  if (!(target || admin !== undefined || project)) {
    throw new CommandFailure(
      `There is no database to look at, for there is no connection string: ${whatToDo(search)} PGBOUNCER_ADMIN_URL, or SUPABASE_PROJECT_REF with SUPABASE_SECRET_KEY, will do too.`,
    )
  }
  const tls = request.ca === undefined ? {} : { tls: { ca: request.ca } }
  const waits = { connectTimeoutMs: 10_000, queryTimeoutMs: 10_000, connectRetries: 0 }
  const kept = (text: string): KeptConnection =>
    new KeptConnection({ url: text, guard: 'off', ...waits, ...tls })
  const console = admin === undefined ? consoleOf(target) : adminOf(request.admin, admin)
  return {
    sources: {
      postgres: target && kept(connectionUrl(target)),
      pgbouncer: console && kept(connectionUrl(console, { database: 'pgbouncer' })),
      logins: [target, console],
      isConsoleGuessed: admin === undefined,
      supabase: project && new SupabaseMetrics(project),
      withQueries: request.withQueries,
    },
    place: target ? `${formatAddress(target)}/${target.database}` : (project?.url.host ?? ''),
  }
}

function adminOf(option: string | undefined, text: string): ConnectionTarget {
  const place = option === undefined ? 'PGBOUNCER_ADMIN_URL in the environment' : '--admin'
  return naming(place, () => parseConnectionString(readPastedUrl(text).text))
}

/**
 * The console behind the same door, which the login at hand may or may not use. Poolers that others run have none
 * for us, and on its own port Postgres has none at all.
 */
function consoleOf(target: ConnectionTarget | undefined): ConnectionTarget | undefined {
  const mayHave = target?.provider === 'other' || target?.provider === 'loopback'
  return mayHave && target.port !== 5432 ? target : undefined
}

function checkAnswered({ snapshot: { sources } }: Look): void {
  if (sources.some(({ state }) => state === 'answered')) return
  const problems = sources.flatMap(({ name, problem }) => (problem ? [`${name}: ${problem}`] : []))
  throw new CommandFailure(problems.join('\n'))
}

async function goOn(sampler: Sampler, view: ConnectionsView, place: string): Promise<void> {
  const servers = [
    ...(view.web ? [await servePage(sampler, view.web)] : []),
    ...(view.prometheus ? [await serveMetrics(sampler, view.prometheus)] : []),
  ]
  try {
    sampler.start()
    const [page, metrics] = [view.web && servers[0]?.url, view.prometheus && servers.at(-1)?.url]
    if (page) process.stderr.write(`The page is on ${page}\n`)
    if (metrics) process.stderr.write(`The metrics are on ${metrics}/metrics\n`)
    await showLive(sampler, view, place, servers.length > 0)
  } finally {
    for (const server of servers) await server.stop()
  }
}

async function showLive(
  sampler: Sampler,
  { json, signal }: ConnectionsView,
  place: string,
  isServing: boolean,
): Promise<void> {
  const { stdin: input, stdout: output } = process
  if (!isServing && !json && output.isTTY && input.isTTY) {
    return await showFullScreen(sampler, { input, output, place, signal })
  }
  if (!isServing || json) {
    if (sampler.latest) print(sampler.latest, json)
    sampler.listen((look) => print(look, json))
  }
  await untilAborted(signal)
}

function print({ snapshot }: Look, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(snapshot)}\n` : renderSnapshot(snapshot))
}
