import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CommandFailure } from '../failure.ts'
import { authority, isMeantForUs, type ListenAddress } from './listen-address.ts'

/** Nobody who looks at connections needs more. */
const MAX_SOCKETS = 64
const MAX_HEADER_BYTES = 16 * 1024

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const

/** Answers one path. */
export type Answer = (response: ServerResponse, request: IncomingMessage) => unknown

/** A server that listens. */
export interface HttpServer {
  readonly url: string
  stop(): Promise<void>
}

/**
 * Serves a few paths, for reading only. What is asked for under another name than the server's own is refused.
 *
 * @throws CommandFailure where the port is taken.
 */
export async function startHttpServer(
  address: ListenAddress,
  paths: Readonly<Record<string, Answer>>,
): Promise<HttpServer> {
  let bound = address
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: 10_000, headersTimeout: 10_000 },
    (request, response) => {
      for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
      if (!isMeantForUs(request.headers.host, bound)) return refuse(response, 421)
      if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405)
      const path = (request.url ?? '').split('?')[0] ?? ''
      const answer = Object.hasOwn(paths, path) ? paths[path] : undefined
      if (answer === undefined) return refuse(response, 404)
      Promise.resolve(answer(response, request)).catch(() => response.destroy())
    },
  )
  server.maxConnections = MAX_SOCKETS
  server.listen(address.port, address.host)
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure(
      `Cannot listen on ${authority(address)} (${error.code}). Choose another port, or 0 for a free one.`,
    )
  })
  bound = { ...address, port: (server.address() as AddressInfo).port }
  return {
    url: `http://${authority(bound)}`,
    async stop() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close').catch(() => undefined)
    },
  }
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' })
  response.end(`${status}\n`)
}
