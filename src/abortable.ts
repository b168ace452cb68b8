import { queryAborted } from './scope-refusals.ts'
import { settledWithin } from './wire/deadline.ts'
import { statementHeads } from './wire/statement-heads.ts'

/** A query of postgres.js; it starts when it is awaited. */
export interface Cancellable<T> extends PromiseLike<T> {
  cancel(): unknown
}

/** Settles as the query does, unless the signal aborts before; then within `limitMs`. */
export function abortable<T>(
  query: Cancellable<T>,
  signal: AbortSignal,
  limitMs: number,
  giveUp: () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    // A query that has not begun is not sent at all.
    if (signal.aborted) query.cancel()
    const running = Promise.resolve(query)
    // Returns nothing: workerd warns of listeners that return a promise.
    const stop = (): void => {
      query.cancel()
      void settledWithin(running, limitMs).then((settled) => {
        if (!settled) giveUp()
      })
    }
    signal.addEventListener('abort', stop)
    running
      .then(resolve, (error: unknown) => {
        reject(signal.aborted && isCancelled(error) ? queryAborted(error, isUndone(error)) : error)
      })
      .finally(() => signal.removeEventListener('abort', stop))
  })
}

/** SQLSTATE `query_canceled`. */
function isCancelled(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === '57014'
}

/** Whether nothing is left of a cancelled query: it never ran, or it was one statement that cannot commit. */
function isUndone(error: Error): boolean {
  // The server names the routine that stopped it; what was stopped before has none.
  if (!('routine' in error && error.routine)) return true
  const heads = 'query' in error ? statementHeads(String(error.query)) : undefined
  return heads?.length === 1 && !/^(?:call|do|commit|end|prepare)$/.test(heads[0] ?? '')
}
