import { connect } from 'node:net'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { bundleWorker } from './worker-bundle.ts'

/** A Worker in workerd, behind a real port. */
export interface RunningWorker extends AsyncDisposable {
  /** A URL of the Worker. */
  at(path: string): URL
  /** Asks for a path and returns how to leave before the answer: by a reset, which workerd notices. */
  ask(path: string): { leave(): void }
}

const bundles = new Map<string, Promise<string>>()

/** The same module for every Worker of a test file. */
function bundleOf(entry: string): Promise<string> {
  const bundle = bundles.get(entry) ?? bundleWorker(entry)
  bundles.set(entry, bundle)
  return bundle
}

/**
 * Bundles a Worker as Wrangler does and runs it with these bindings.
 *
 * @param hyperdrives - Hyperdrive bindings, by the connection strings that they stand for. Miniflare's
 *   pass bytes to that server; they neither pool nor keep rows.
 */
export async function runWorker(
  entry: string,
  bindings: Record<string, string>,
  hyperdrives: Record<string, string> = {},
): Promise<RunningWorker> {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: await bundleOf(entry),
      compatibilityDate: '2026-08-04',
      compatibilityFlags: ['enable_request_signal'],
      bindings,
      hyperdrives,
      // Straight to the Worker: Miniflare's own entry does not pass a client's leaving on.
      unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    }),
  )
  await miniflare.ready
  const origin = await miniflare.unsafeGetDirectURL()
  return {
    at: (path) => new URL(path, origin),
    ask(path) {
      const socket = connect(Number(origin.port), origin.hostname)
      socket.on('error', () => {})
      socket.write(`GET ${path} HTTP/1.1\r\nhost: ${origin.host}\r\n\r\n`)
      return { leave: () => void socket.resetAndDestroy() }
    },
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  }
}
