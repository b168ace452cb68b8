import { AsyncLocalStorage } from 'node:async_hooks'
import { env } from 'node:process'
import type { AsyncContext, Runtime } from '../runtime.ts'
import { transport } from '../transports/node.ts'

/** Node.js, and runtimes that offer its API. */
export const runtime: Runtime = {
  name: 'node',
  transport,
  bindings: () => undefined,
  variable: (name) => env[name],
  keepsConnections: () => true,
  createContext<T>(): AsyncContext<T> {
    const storage = new AsyncLocalStorage<T>()
    return { run: (value, work) => storage.run(value, work), get: () => storage.getStore() }
  },
}
