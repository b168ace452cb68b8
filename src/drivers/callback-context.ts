import type { DriverHost } from './driver.ts'

type Callback = (...values: unknown[]) => unknown
type Bind = NonNullable<DriverHost['bind']>

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
export function keepContext(made: unknown, bind: Bind | undefined): void {
  if (!bind || !isQuery(made)) return
  const { forEach, cursor, readable, writable } = made
  const bound = <T>(value: T): T =>
    typeof value === 'function' ? (bind(value as Callback & T) as T) : value
  /** A stream calls its handlers, and those of what it is piped to, from wherever its rows come. */
  const opened = async (opening: Promise<Stream>): Promise<Stream> => {
    const stream = await opening
    stream.emit = bound(stream.emit.bind(stream))
    return stream
  }
  made.forEach = (callback) => forEach.call(made, bound(callback))
  made.cursor = (rows, callback) => cursor.call(made, bound(rows), bound(callback))
  made.readable = () => opened(readable.call(made))
  made.writable = () => opened(writable.call(made))
}

function isQuery(made: unknown): made is Query {
  return made instanceof Promise && 'forEach' in made && 'cursor' in made
}
