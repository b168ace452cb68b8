import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { signalGroup } from './child-process.ts'
import { assertPortFree, LOOPBACK } from './free-port.ts'
import { createServerFolder, type ServerFolder } from './server-folder.ts'
import { within } from './time-limit.ts'
import type { WorkerOrder, WorkerOutcome } from './worker-messages.ts'

/** Building a Worker takes a second or two. */
const READY_WITHIN_MS = 60_000
const END_WITHIN_MS = 5_000

/** Which Worker to run, and where. */
export interface WorkerOptions {
  /** Its `wrangler.toml`. */
  configFile: URL
  port: number
  /** Secrets of the Worker by name. They are in no argument and no environment that `ps` shows. */
  secrets: Record<string, string>
  /** Gives up starting. */
  signal?: AbortSignal
}

/** A Worker that answers on the loopback address. */
export interface WorkerServer {
  readonly url: string
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/**
 * Runs a Worker in workerd, and again whenever one of its files changes.
 *
 * What the Worker logs appears on our standard output and error, and nothing else does.
 *
 * @throws PortInUseError where somebody listens on the port already.
 */
export async function startWorker(options: WorkerOptions): Promise<WorkerServer> {
  await assertPortFree(options.port)
  const folder = await createServerFolder('worker')
  const child = fork(new URL('./worker-process.ts', import.meta.url), {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...quietWrangler(folder) },
  })
  const ended = once(child, 'exit').then(
    () => {},
    () => {},
  )
  if (child.pid !== undefined) folder.guard.watch(child.pid, 'SIGTERM')
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= end(child, ended, folder)
    return stopped
  }
  try {
    child.send(await orderOf(options, folder))
    await ready(child, ended, options.signal)
    return { url: `http://${LOOPBACK}:${options.port}`, ended, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function orderOf(
  { configFile, port, secrets }: WorkerOptions,
  folder: ServerFolder,
): Promise<WorkerOrder> {
  return {
    configFile: fileURLToPath(configFile),
    // The `paths` of this repository's own would lead esbuild to the sources, and workerd to the
    // transport for Node. A Worker gets what was built, by the conditions of the package.
    tsconfigFile: await folder.write('tsconfig.json', '{}'),
    host: LOOPBACK,
    port,
    secrets,
  }
}

async function ready(
  child: ChildProcess,
  ended: Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const outcome = await within<WorkerOutcome>(READY_WITHIN_MS, [
    once(child, 'message', signal && { signal }).then(([message]) => message),
    ended.then(() => ({ state: 'failed', reason: 'The process of the Worker ended.' })),
  ])
  if (outcome?.state === 'ready') return
  throw new Error(
    outcome?.reason ?? `The Worker was not ready within ${READY_WITHIN_MS / 1000} seconds.`,
  )
}

async function end(child: ChildProcess, ended: Promise<void>, folder: ServerFolder): Promise<void> {
  if (child.connected) child.disconnect()
  await within(END_WITHIN_MS, [ended])
  // Also where the process is gone: the workerd that it left behind has the same group.
  if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
  await ended
  await folder.remove()
}

/** No telemetry, no look-ups, and no files in the user's home. */
function quietWrangler(folder: ServerFolder): Record<string, string> {
  return {
    WRANGLER_LOG: 'error',
    WRANGLER_SEND_METRICS: 'false',
    DO_NOT_TRACK: '1',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    XDG_CONFIG_HOME: folder.path,
    WRANGLER_REGISTRY_PATH: folder.path,
    CI: '1',
  }
}
