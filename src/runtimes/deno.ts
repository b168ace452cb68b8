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
  waitUntil(promise) {
    if (typeof EdgeRuntime !== 'undefined') EdgeRuntime.waitUntil(promise)
  },
  // Supabase's runtime freezes and ends its workers as it likes.
  keepsConnections: () => typeof EdgeRuntime === 'undefined',
  createContext<T>(): AsyncContext<T> {
    const storage = new AsyncLocalStorage<T>()
    return { run: (value, work) => storage.run(value, work), get: () => storage.getStore() }
  },
}
