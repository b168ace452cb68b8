import type { Context } from 'hono'
import type { BodyOrigin } from './response.ts'

/** The methods of a context that make a response from a value or a stream. */
const MAKERS = ['body', 'newResponse', 'text', 'json', 'html', 'redirect'] as const

/** Knows of the responses that a context has made what they were made from. */
export class HonoBodies {
  /** By the response, and by the stream, which may get into another response. */
  #origins = new WeakMap<object, BodyOrigin>()
  #streamed = false

  constructor(c: Context) {
    for (const name of MAKERS) {
      const make = c[name] as (data: unknown, ...rest: unknown[]) => Response | Promise<Response>
      const observed = (data: unknown, ...rest: unknown[]): Response | Promise<Response> => {
        const response = make(data, ...rest)
        if (response instanceof Response) this.#note(response, data)
        return response
      }
      Object.defineProperty(c, name, { value: observed, configurable: true, writable: true })
    }
  }

  #note(response: Response, data: unknown): void {
    const isStream = typeof data === 'object' && data !== null && Symbol.asyncIterator in data
    const origin = isStream || data instanceof ReadableStream ? 'stream' : 'value'
    this.#origins.set(response, origin)
    if (origin === 'value') return
    this.#streamed = true
    if (response.body) this.#origins.set(response.body, origin)
  }

  /** What a response was made from, where that is certain. */
  known(response: Response): BodyOrigin {
    const known = this.#origins.get(response)
    if (known) return known
    return (response.body && this.#origins.get(response.body)) ?? 'unknown'
  }

  /** The same, with a guess: a middleware may have put a response of its own around a stream. */
  likely(response: Response): BodyOrigin {
    return this.#origins.get(response) ?? (this.#streamed ? 'stream' : 'unknown')
  }
}
