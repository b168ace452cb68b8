import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { bundleWorker } from './worker-bundle.ts'

/** A Worker in workerd, behind a real port. */
export interface RunningWorker extends AsyncDisposable {
  /** A URL of the Worker. */
  at(path: string): URL
}

/** Bundles a Worker as Wrangler does and runs it with these bindings. */
export async function runWorker(
  entry: string,
  bindings: Record<string, string>,
): Promise<RunningWorker> {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: await bundleWorker(entry),
      compatibilityDate: '2026-08-04',
      compatibilityFlags: ['enable_request_signal'],
      bindings,
    }),
  )
  const origin = await miniflare.ready
  return {
    at: (path) => new URL(path, origin),
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  }
}
