import { AsyncLocalStorage } from 'node:async_hooks'
import type { AsyncContext, Runtime } from '../runtime.ts'
import { transport } from '../transports/deno.ts'

/** Deno, and Supabase Edge Functions, which run on it. */
export const runtime: Runtime = {
  name: 'deno',
  transport,
  bindings: () => undefined,
  variable(name) {
    try {
      return Deno.env.get(name)
    } catch {
      // Not allowed to read it.
      return undefined
    }
  },
  async resolve(name) {
    // Only the gateway asks, so that nobody else loads it.
    const { lookup } = await import('node:dns/promises')
    return (await lookup(name, { all: true })).map(({ address }) => address)
  },
  waitUntil(promise) {
    if (typeof EdgeRuntime === 'undefined' || !EdgeRuntime.waitUntil) return
    // It takes a promise of the language alone; what is held can be a query of a driver, and can reject.
    const settled = new Promise<void>((resolve) => {
      const done = (): void => resolve()
      promise.then(done, done)
    })
    EdgeRuntime.waitUntil(settled)
  },
  // Supabase's runtime freezes and ends its workers as it likes.
  keepsConnections: () => typeof EdgeRuntime === 'undefined',
  createContext<T>(): AsyncContext<T> {
    const storage = new AsyncLocalStorage<T>()
    return { run: (value, work) => storage.run(value, work), get: () => storage.getStore() }
  },
  bind: (callback) => AsyncLocalStorage.bind(callback),
}
