import { exportSnapshot } from './exporter.ts'
import { type Answer, type HttpServer, startHttpServer } from './http-server.ts'
import type { ListenAddress } from './listen-address.ts'
import type { Sampler } from './sampler.ts'
import { EventStreams } from './web/event-stream.ts'
import { readPageFiles } from './web/page-files.ts'

/** The type of the text format, with its version. */
const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Serves the page with live charts. */
export async function servePage(sampler: Sampler, address: ListenAddress): Promise<HttpServer> {
  const streams = new EventStreams(sampler)
  const paths: Record<string, Answer> = { '/events': (response) => streams.serve(response) }
  for (const { path, type, content } of await readPageFiles()) {
    paths[path] = (response) => {
      response.setHeader('content-type', type)
      response.end(content)
    }
  }
  return await startHttpServer(address, paths)
}

/** Serves the last look to Prometheus, at `/metrics`. */
export async function serveMetrics(sampler: Sampler, address: ListenAddress): Promise<HttpServer> {
  return await startHttpServer(address, {
    '/metrics': async (response) => {
      const { latest } = sampler
      response.setHeader('content-type', PROMETHEUS_TYPE)
      response.end(latest ? await exportSnapshot(latest.snapshot) : '')
    },
  })
}
