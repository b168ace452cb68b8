import { NullpoolError } from '../errors.ts'
import type { AsyncContext, Runtime } from '../runtime.ts'
import { webSocketTransport } from '../transports/websocket.ts'
import { isNeonHost } from '../transports/websocket-address.ts'
import type { Transport } from '../wire/transport.ts'
import { waitUntilOnVercel } from './vercel-request.ts'

/** Globals of Vercel's Edge Runtime; a bundler may replace the first by its value. */
declare const process: { env: Record<string, string | undefined> } | undefined
declare const AsyncLocalStorage:
  | {
      new <T>(): { run<R>(store: T, work: () => R): R; getStore(): T | undefined }
      bind: Runtime['bind']
    }
  | undefined

/** Neon's hosts by Neon's own route, all others through the gateway of the environment. */
const transport: Transport = {
  name: 'WebSocket',
  opening: 'the WebSocket',
  async connect(address, options) {
    if (isNeonHost(address.host)) return webSocketTransport().connect(address, options)
    const url = variable('NULLPOOL_GATEWAY_URL')
    const token = variable('NULLPOOL_GATEWAY_TOKEN')
    if (!url) throw noWay()
    return webSocketTransport({ url, ...(token ? { token } : {}) }).connect(address, options)
  },
}

/**
 * Vercel's Edge Runtime: no TCP, and of Node little more than `AsyncLocalStorage`, which is a global.
 *
 * @see https://vercel.com/docs/functions/runtimes/edge
 */
export const runtime: Runtime = {
  name: 'vercel-edge',
  transport,
  bindings: () => undefined,
  variable,
  waitUntil: waitUntilOnVercel,
  createContext<T>(): AsyncContext<T> {
    if (typeof AsyncLocalStorage === 'undefined') {
      return { run: (_value, work) => work(), get: () => undefined }
    }
    const storage = new AsyncLocalStorage<T>()
    return { run: (value, work) => storage.run(value, work), get: () => storage.getStore() }
  },
  bind: (callback) =>
    typeof AsyncLocalStorage === 'undefined' ? callback : AsyncLocalStorage.bind(callback),
}

function variable(name: string): string | undefined {
  return typeof process === 'undefined' ? undefined : process.env[name]
}

function noWay(): NullpoolError {
  return new NullpoolError('ERR_RUNTIME_UNSUPPORTED', "Vercel's Edge Runtime has no TCP.", {
    hint: "Only Neon's hosts are reached without a gateway. Set NULLPOOL_GATEWAY_URL to the wss:// address of one beside the database (nullpool/gateway, with the path /v2), and NULLPOOL_GATEWAY_TOKEN to its token, or pass transport: webSocketTransport({ url, token }); or let the function run on Node, which Vercel recommends (remove runtime: 'edge').",
  })
}
