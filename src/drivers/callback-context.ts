import { runtime } from '#runtime'

type Callback = (...values: unknown[]) => unknown

/** What of postgres.js's `Query` takes a callback; its types show others. */
interface Query {
  forEach(callback: Callback): unknown
  cursor(rows?: number | Callback, callback?: Callback): unknown
  readable(): Promise<Stream>
  writable(): Promise<Stream>
}

/** A stream of Node. */
interface Stream {
  emit: Callback
}

/**
 * Lets the callbacks of a statement see the transaction and the request that it is made in: the driver calls
 * them from whatever has opened the connection.
 */
export function keepContext(made: unknown): void {
  if (!isQuery(made)) return
  const { forEach, cursor, readable, writable } = made
  made.forEach = (callback) => forEach.call(made, bound(callback))
  made.cursor = (rows, callback) => cursor.call(made, bound(rows), bound(callback))
  made.readable = () => withContext(readable.call(made))
  made.writable = () => withContext(writable.call(made))
}

/** A stream calls its handlers, and those of what it is piped to, from wherever its rows come. */
async function withContext(opening: Promise<Stream>): Promise<Stream> {
  const stream = await opening
  stream.emit = bound(stream.emit.bind(stream))
  return stream
}

function bound<T>(value: T): T {
  return typeof value === 'function' ? (runtime.bind(value as Callback & T) as T) : value
}

function isQuery(made: unknown): made is Query {
  return made instanceof Promise && 'forEach' in made && 'cursor' in made
}
