import { NullpoolError } from '../errors.ts'
import type { PoolCore } from './pool-core.ts'

/** The shape of a pool of `pg`, as far as `attachDatabasePool` of `@vercel/functions` looks at one. */
export interface AttachablePool {
  readonly options: { readonly idleTimeoutMillis: number }
  on(event: 'release', listener: () => void): void
}

/** @throws {NullpoolError} `ERR_OPTIONS` where idle connections stay open. */
export function attachableOf(core: PoolCore): AttachablePool {
  const { idleTimeoutMs } = core.settings
  if (idleTimeoutMs === undefined) {
    throw new NullpoolError('ERR_OPTIONS', 'A pool without idleTimeoutMs cannot be attached.', {
      hint: 'Set idleTimeoutMs, for example to 5000: the instance is kept until idle connections have closed.',
    })
  }
  return {
    options: { idleTimeoutMillis: idleTimeoutMs },
    on(event, listener) {
      if (event === 'release') core.onRelease(listener)
    },
  }
}
