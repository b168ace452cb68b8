import { NullpoolError } from '../errors.ts'
import { wordsOf } from '../wire/control-statement.ts'
import { outcome } from '../wire/loss.ts'
import type { Lease } from './lease.ts'

/** As many are named; they are the oldest ones. */
const NAMED = 5

/** For work that has waited too long for a connection: it says who has them. */
export function poolTimeout(
  timeoutMs: number,
  limit: number,
  leases: readonly Lease[],
): NullpoolError {
  const now = Date.now()
  const oldest = [...leases].sort((one, other) => one.since - other.since)
  const named = oldest.slice(0, NAMED).map((lease) => lease.describe(now))
  const others = oldest.length > NAMED ? [`${oldest.length - NAMED} more`] : []
  const held = [...named, ...others].join('; ') || 'none is open'
  return new NullpoolError(
    'ERR_POOL_TIMEOUT',
    `No connection of the pool became free within ${timeoutMs} ms. The statement did not run. All ${limit} are in use: ${held}.`,
    {
      hint: 'Keep calls to other services out of transactions, and inside of one use the sql that it gives: pool.sql waits for another connection. poolSize and maxOverflow change how many there are, acquireTimeoutMs how long to wait.',
      retryable: true,
    },
  )
}

/** For work that comes after the end of the pool. */
export function poolClosed(mayHaveRun = false): NullpoolError {
  return new NullpoolError('ERR_POOL_CLOSED', `The pool is closed. ${outcome(mayHaveRun)}`, {
    hint: 'Call pool.close() last, once the server takes no more requests; drainTimeoutMs changes how long it waits for what is under way.',
  })
}

/** For a statement by a handle whose transaction or reservation has ended. */
export function workOver(mayHaveRun: boolean): NullpoolError {
  const words = `The connection that this sql had was given back to its pool. ${outcome(mayHaveRun)}`
  return new NullpoolError('ERR_SCOPE_CLOSED', words, {
    hint: 'Await every statement before the transaction ends or the reservation is released.',
  })
}

/** For what one statement after another, each on any connection, cannot have. */
export function needsOwnConnection(feature: string): NullpoolError {
  return new NullpoolError(
    'ERR_SESSION_STATE',
    `${feature} needs a connection of its own for as long as it lasts, which a pool does not give away.`,
    {
      hint: 'Use a client of postgres.js beside the pool, on the direct or session-mode URL (port 5432).',
    },
  )
}

/** For a statement that begins or ends a transaction of which the next one would not be a part. */
export function refuseControl(text: string): NullpoolError | undefined {
  const words = wordsOf(text)
  if (words === undefined || /^(set|prepare (?!transaction))/.test(words)) return undefined
  return new NullpoolError(
    'ERR_SESSION_STATE',
    'A transaction cannot be begun or ended by a statement of pool.sql, of which each may run on another connection.',
    { hint: 'Use transaction(), sql.begin() or sql.reserve().' },
  )
}

/** For a runtime on which no connection may be kept. */
export function runtimeKeepsNothing(runtime: string): NullpoolError {
  return new NullpoolError(
    'ERR_RUNTIME_UNSUPPORTED',
    `A pool does not work on this runtime (${runtime}): a connection cannot be kept there from one request to the next.`,
    {
      hint: 'Use createDatabase() of nullpool, or the middleware of nullpool/hono: a connection for each request, through the transaction-mode pooler (port 6543).',
    },
  )
}
