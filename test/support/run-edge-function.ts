import { runServer } from 'edge-runtime'
import { bundleForEdge, startEdgeRuntime } from './edge-runtime.ts'
import { startNodeGateway, TOKEN } from './gateway-bed.ts'

/** A function of Vercel's Edge Runtime, behind a real port, with a gateway of its own. */
export interface RunningEdgeFunction extends AsyncDisposable {
  /** A URL of the function. */
  at(path: string): URL
}

/**
 * Serves a Hono app in `edge-runtime`, whose only way to Postgres is a gateway that leads to one server.
 *
 * @param entry - A module with the app as its default export.
 * @param url - The connection string, whose host and port are the gateway's only target.
 */
export async function runEdgeFunction(entry: string, url: string): Promise<RunningEdgeFunction> {
  const bundle = await bundleForEdge({ file: entry })
  if (bundle.imports.length > 0) throw new Error(`${entry} asks for ${bundle.imports}.`)
  const gateway = await startNodeGateway({ targets: [new URL(url).host] })
  const runtime = startEdgeRuntime(bundle, {
    env: {
      DATABASE_URL: url,
      NULLPOOL_GATEWAY_URL: `ws://${gateway.host}/v2`,
      NULLPOOL_GATEWAY_TOKEN: TOKEN,
    },
  })
  runtime.evaluate(`
    addEventListener('fetch', (event) => event.respondWith(exported.default.fetch(event.request)))`)
  const server = await runServer({ runtime, host: '127.0.0.1', port: 0 })
  return {
    at: (path) => new URL(path, server.url),
    async [Symbol.asyncDispose]() {
      await server.close()
      await gateway[Symbol.asyncDispose]()
    },
  }
}
