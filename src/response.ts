import type { RequestConnection } from './request-connection.ts'

/** How a response came about, where that is known. */
export type BodyOrigin = 'value' | 'stream' | 'unknown'

/** What a runtime writes by itself for a body that is a text or JSON; a stream never gets it. */
const TYPES_OF_VALUES = /^(text\/plain;charset=UTF-8|application\/json)$/

/** What people set on responses that they stream. */
const TYPES_OF_STREAMS =
  /^(text\/event-stream|text\/csv|application\/(octet-stream|(x-)?ndjson|jsonl|json-seq)|multipart\/)/i

/**
 * Closes the connection behind a response: at once where the body is complete, after the body where it is a
 * stream. A complete body is returned untouched, because wrapping it would lose its Content-Length.
 *
 * @returns the response to send.
 */
export function finishResponse(
  connection: RequestConnection,
  response: Response,
  origin: BodyOrigin = 'unknown',
): Response {
  const kind = response.body ? classify(response, origin) : 'value'
  if (kind === 'value') connection.finish()
  // A body that nobody can tell from a complete one: it may still ask, and its end is not seen.
  if (kind === 'unknown') connection.finish(true)
  if (kind !== 'stream' || !response.body) return response
  return new Response(followBody(response.body, connection), response)
}

/** Whether a body is complete, as far as anybody can tell. */
function classify(response: Response, origin: BodyOrigin): BodyOrigin {
  if (origin !== 'unknown') return origin
  if (response.headers.has('content-length')) return 'unknown'
  const type = response.headers.get('content-type')
  if (type === null || TYPES_OF_STREAMS.test(type)) return 'stream'
  return TYPES_OF_VALUES.test(type) ? 'value' : 'unknown'
}

/** Passes a body on and tells the connection of its end, its failure or its cancellation. */
function followBody(
  body: ReadableStream<Uint8Array>,
  connection: RequestConnection,
): ReadableStream {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read()
        if (!done) return controller.enqueue(value)
        connection.finish()
        controller.close()
      } catch (error) {
        void connection.close()
        controller.error(error)
      }
    },
    async cancel(reason) {
      void connection.abort()
      await reader.cancel(reason)
    },
  })
}
