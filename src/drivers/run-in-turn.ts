/** What of postgres.js's `Query` is used here; its types do not show it. */
interface Query {
  /** Hands it to a connection. */
  handler: (query: Query) => void
  reject: (error: unknown) => void
}

/**
 * Lets a query wait for its turn, once somebody awaits it.
 *
 * @param made - What a client has made; anything but a query is left alone.
 * @param inTurn - Calls back when it is the query's turn.
 * @param refusal - Why it is not to run, if it is not, asked when it is its turn.
 */
export function runInTurn(
  made: unknown,
  inTurn: (task: () => void) => void,
  refusal: () => unknown,
): void {
  if (!isQuery(made)) return
  const handler = made.handler
  const wait = (query: Query): void =>
    inTurn(() => {
      // It was cancelled while it waited.
      if (query.handler !== wait) return
      const error = refusal()
      if (error) query.reject(error)
      else handler(query)
    })
  made.handler = wait
}

function isQuery(made: unknown): made is Query {
  return made instanceof Promise && 'handler' in made && 'reject' in made
}
