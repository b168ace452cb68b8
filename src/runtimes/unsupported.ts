import { NullpoolError } from '../errors.ts'
import type { AsyncContext, Runtime } from '../runtime.ts'

/** A runtime that this package has no transport for; one can be passed as an option. */
export const runtime: Runtime = {
  name: 'unknown',
  transport: {
    name: 'none',
    connect: () =>
      Promise.reject(
        new NullpoolError(
          'ERR_RUNTIME_UNSUPPORTED',
          'This runtime offers no TCP that nullpool knows.',
          {
            hint: 'Run on Node, Deno or Cloudflare Workers, or pass the option transport, such as webSocketTransport({ url }).',
          },
        ),
      ),
  },
  bindings: () => undefined,
  variable: () => undefined,
  createContext<T>(): AsyncContext<T> {
    return { run: (_value, work) => work(), get: () => undefined }
  },
  bind: (callback) => callback,
}
