import { env } from 'cloudflare:workers'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { AsyncContext, Runtime } from '../runtime.ts'
import { transport } from '../transports/cloudflare.ts'

/** Cloudflare Workers. */
export const runtime: Runtime = {
  name: 'workers',
  transport,
  bindings: () => env,
  variable: () => undefined,
  createContext<T>(): AsyncContext<T> {
    const storage = new AsyncLocalStorage<T>()
    return { run: (value, work) => storage.run(value, work), get: () => storage.getStore() }
  },
  bind: (callback) => AsyncLocalStorage.bind(callback),
}
