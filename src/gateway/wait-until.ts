import type { Context } from 'hono'
import type { ScopeContext } from '../scope.ts'

/** What keeps a Worker alive behind its request; `c.executionCtx` throws where there is none. */
export function waitUntilOf(c: Context): ScopeContext['waitUntil'] {
  try {
    const { executionCtx } = c
    return (promise) => executionCtx.waitUntil(promise)
  } catch {
    return undefined
  }
}
