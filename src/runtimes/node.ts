import { AsyncLocalStorage } from 'node:async_hooks'
import { lookup } from 'node:dns/promises'
import { env } from 'node:process'
import type { AsyncContext, Runtime } from '../runtime.ts'
import { transport } from '../transports/node.ts'
import { waitUntilOnVercel } from './vercel-request.ts'

/** Node.js, and runtimes that offer its API; Vercel's functions among them. */
export const runtime: Runtime = {
  name: 'node',
  transport,
  bindings: () => undefined,
  variable: (name) => env[name],
  waitUntil: waitUntilOnVercel,
  resolve: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  keepsConnections: () => true,
  createContext<T>(): AsyncContext<T> {
    const storage = new AsyncLocalStorage<T>()
    return { run: (value, work) => storage.run(value, work), get: () => storage.getStore() }
  },
  bind: (callback) => AsyncLocalStorage.bind(callback),
}
