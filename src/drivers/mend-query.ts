import { keepContext } from './callback-context.ts'
import type { DriverHost } from './driver.ts'
import type { Outstanding } from './outstanding.ts'
import { ownError } from './own-error.ts'
import { unbuildable } from './unbuildable.ts'

/** A `Readable` or `Writable` of node:stream. */
interface Stream {
  destroy(error: unknown): unknown
}
type Rows = unknown[]
type OnRows = (rows: Rows) => unknown

/** What of postgres.js's `Query` is used here; its types do not show all of it. */
interface Query extends Promise<unknown> {
  args: readonly unknown[]
  /** Whether it is the one that the driver hears the answer of. */
  active: boolean
  /** Set once it was written. */
  state: unknown
  /** Hands it to a connection, or to the queue for one. */
  handler: (query: Query) => void
  /** Given each row in the driver's place. */
  forEachFn?: unknown
  cancel(): void
  reject: (error: unknown) => void
  cursor(rows?: number | OnRows, onRows?: OnRows): unknown
  readable(): Promise<Stream>
  writable(): Promise<Stream>
}

/** The connection as a query has to know it. */
export interface Health {
  /** Whether an error is on its way to the driver. */
  failing(): boolean
  /** What every statement fails with from now on, if anything. */
  failure(): unknown
  outstanding: Outstanding
  /** Whether a value may not be undefined. */
  checksValues: boolean
  /** See {@link DriverHost.bind}. */
  bind?: DriverHost['bind'] | undefined
}

/**
 * Makes a query of postgres.js settle however its connection ends. As it comes, a failure between two
 * batches ends a cursor as if all rows had been read, one behind the last row of a COPY from the client
 * is told to nobody, a query that is cancelled behind another one gives its answer to the next, and the
 * rows of one that fails leave holes in what the next one gives.
 *
 * @param close - What ends a cursor early: postgres.js's `sql.CLOSE`.
 */
export function mendQuery(made: unknown, close: unknown, health: Health): void {
  if (!isQuery(made)) return
  const { failing, failure, outstanding, checksValues } = health
  const handler = made.handler
  // A transaction that was ended from outside keeps a queue of its own, which nobody looks into any more.
  made.handler = (query) => {
    const error = failure() ?? (checksValues ? unbuildable(query.args) : undefined)
    if (error) return query.reject(error)
    query.forEachFn ??= collectRow
    outstanding.add(query, (reason) => query.reject(reason))
    handler(query)
  }
  const reject = made.reject
  made.reject = (error) => reject(asTold(error))
  const cursor = made.cursor.bind(made)
  made.cursor = (rows, onRows) => {
    const call = typeof rows === 'function' ? rows : onRows
    const count = typeof rows === 'number' ? rows : 1
    if (call)
      return cursor(
        count,
        whileActive(() => made.active && !failing(), call),
      )
    return { [Symbol.asyncIterator]: () => iterate(made, count, close) }
  }
  made.cancel = cancelInTurn(made, made.cancel.bind(made))
  made.readable = failWith(made, made.readable.bind(made))
  made.writable = failWith(made, made.writable.bind(made))
  keepContext(made, health.bind)
}

/** What a caller is given of an error of the driver's. */
function asTold(error: unknown): unknown {
  const told = ownError(error)
  // postgres.js leaves `stack` read-only, and whoever adds to it fails, as Kysely does to every error.
  if (told instanceof Error && told.stack !== undefined) {
    const { stack } = told
    Reflect.defineProperty(told, 'stack', { value: stack, writable: true, configurable: true })
  }
  return told
}

/**
 * Adds a row to the result that it belongs to. postgres.js itself counts the rows of its connection, and goes
 * on counting behind a statement that has failed among them.
 */
function collectRow(row: unknown, result: Rows): void {
  result.push(row)
}

/** Fragments are queries too, and so far nobody knows which they are. */
function isQuery(made: unknown): made is Query {
  return made instanceof Promise && 'cursor' in made && 'writable' in made
}

/** By now the connection may be at another query: what the answer was for has gone. */
function whileActive(active: () => boolean, call: OnRows): OnRows {
  return async (rows) => {
    try {
      const answer = await call(rows)
      return active() ? answer : never()
    } catch (error) {
      if (active()) throw error
      return never()
    }
  }
}

/** Nothing that was waiting for a query may go on once the query has ended. */
function never(): Promise<never> {
  return new Promise(() => undefined)
}

/** What a cursor comes to next: rows, its end, or its failure. */
type Step = { rows?: Rows; error?: unknown }

async function* iterate(query: Query, count: number, close: unknown): AsyncGenerator<Rows> {
  const steps: Step[] = []
  let wake: () => void = () => undefined
  let goOn: (answer?: unknown) => void = () => undefined
  const come = (step: Step): void => {
    steps.push(step)
    wake()
  }
  const call: OnRows = (rows) =>
    new Promise((resolve) => {
      goOn = resolve
      come({ rows })
    })
  query.cursor(count, call)
  query.then(
    () => come({}),
    (error) => come({ error }),
  )
  try {
    for (;;) {
      if (steps.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      const { rows, error } = steps.shift() ?? {}
      if (error) throw error
      if (!rows) return
      yield rows
      goOn()
    }
  } finally {
    goOn(close)
  }
}

/** What has been written and not yet come to its turn is cancelled in its turn. */
function cancelInTurn(query: Query, cancel: () => void): () => void {
  return () => {
    // What has not been handed over yet never is: a connection would wait for it.
    if (!query.state) query.handler = () => undefined
    if (!query.state || query.active) return cancel()
    let active = false
    Reflect.defineProperty(query, 'active', {
      get: () => active,
      set(now: boolean) {
        active = now
        if (now) cancel()
      },
    })
  }
}

/** The stream of a COPY fails with its query, also when the driver has let go of it. */
function failWith(query: Query, open: () => Promise<Stream>): () => Promise<Stream> {
  return async () => {
    const stream = await open()
    query.reject = (error) => stream.destroy(asTold(error))
    return stream
  }
}
