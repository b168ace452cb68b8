/** What of postgres.js's `Query` is used here; its types do not show it. */
interface Query extends Promise<unknown> {
  /** Hands it to a connection. */
  handler: (query: Query) => void
  reject: (error: unknown) => void
}

/** Calls `task` when it is the turn of a statement, or `refuse`. */
export type InTurn = (
  statement: PromiseLike<unknown>,
  task: () => void,
  refuse: (error: unknown) => void,
) => void

/**
 * Lets a query wait for its turn, once somebody awaits it.
 *
 * @param made - What a client has made; anything but a query is left alone.
 * @param refusal - Why it is not to run, if it is not, asked when somebody awaits it.
 */
export function runInTurn(made: unknown, inTurn: InTurn, refusal: () => unknown): void {
  if (!isQuery(made)) return
  const handler = made.handler
  const wait = (query: Query): void => {
    const error = refusal()
    if (error) return query.reject(error)
    // It may be cancelled while it waits.
    const task = (): void => {
      if (query.handler === wait) handler(query)
    }
    inTurn(query, task, (error) => query.reject(error))
  }
  made.handler = wait
}

function isQuery(made: unknown): made is Query {
  return made instanceof Promise && 'handler' in made && 'reject' in made
}
