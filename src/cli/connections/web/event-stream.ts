import type { ServerResponse } from 'node:http'
import type { Look, Sampler } from '../sampler.ts'

/** Pages that look at once. */
const MAX_STREAMS = 16
/** A page that does not read for so long is gone. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024

/**
 * What the sampler sees, as server-sent events: `history` once, then a `look` each time.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class EventStreams {
  readonly #sampler: Sampler
  readonly #open = new Set<ServerResponse>()

  constructor(sampler: Sampler) {
    this.#sampler = sampler
  }

  serve(response: ServerResponse): void {
    if (this.#open.size >= MAX_STREAMS) {
      response.writeHead(503, { 'retry-after': '10' })
      response.end()
      return
    }
    this.#open.add(response)
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    send(response, 'history', this.#sampler.history.points)
    if (this.#sampler.latest) send(response, 'look', this.#sampler.latest)
    const forget = this.#sampler.listen((look: Look) => {
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy()
      else send(response, 'look', look)
    })
    response.on('close', () => {
      forget()
      this.#open.delete(response)
    })
  }
}

function send(response: ServerResponse, event: string, data: unknown): void {
  // JSON has no line breaks of its own, so that it is one line of the stream.
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}
