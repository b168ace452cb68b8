import type { Context } from 'hono'
import { stream, streamSSE, streamText } from 'hono/streaming'
import type { NullpoolVariables } from 'nullpool/hono'

export type C = Context<{ Variables: NullpoolVariables }>
export type Make = (c: C) => Response | Promise<Response>

export const MIB = 1024 * 1024
const BYTES = new Uint8Array([0, 1, 254, 255])

export function typed(type: string): { headers: Record<string, string> } {
  return { headers: { 'content-type': type } }
}

export function form(): FormData {
  const data = new FormData()
  data.set('a', 'b')
  return data
}

/** Bodies that are complete, and what they say. */
export const COMPLETE: readonly [string, Make, string | Uint8Array | RegExp][] = [
  ['c.text()', (c) => c.text('text'), 'text'],
  ['c.json()', (c) => c.json([1]), '[1]'],
  ['c.html()', (c) => c.html('<b>'), '<b>'],
  ['c.html() of a promise', (c) => c.html(Promise.resolve('<b>')), '<b>'],
  ['c.body() of CSV', (c) => c.body('a,b\n', 200, typed('text/csv').headers), 'a,b\n'],
  ['c.body() of bytes', (c) => c.body(BYTES), BYTES],
  ['c.body() of nothing', (c) => c.body(null, 204), ''],
  ['c.redirect()', (c) => c.redirect('/x'), ''],
  ['c.notFound()', (c) => c.notFound(), '404 Not Found'],
  ['a Response of CSV', () => new Response('a,b\n', typed('text/csv')), 'a,b\n'],
  ['a Response of a text', () => new Response('text'), 'text'],
  ['a Response of HTML', () => new Response('<b>', typed('text/html; charset=UTF-8')), '<b>'],
  ['a Response of bytes', () => new Response(BYTES), BYTES],
  ['a Response of a buffer', () => new Response(BYTES.buffer.slice(0)), BYTES],
  ['a Response of a Blob', () => new Response(new Blob(['blob'])), 'blob'],
  [
    'a Response of a Blob with a type',
    () => new Response(new Blob(['{}'], { type: 'application/json' })),
    '{}',
  ],
  ['a Response of FormData', () => new Response(form()), /name="a"\r\n\r\nb\r\n/],
  ['a Response of parameters', () => new Response(new URLSearchParams({ a: 'b' })), 'a=b'],
  ['a Response of nothing', () => new Response(null), ''],
  ['a Response of an empty text', () => new Response(''), ''],
  ['Response.json()', () => Response.json({ a: 1 }), '{"a":1}'],
  ['a Response of 20 MiB at once', () => new Response('x'.repeat(20 * MIB)), /^x{1000}/],
  ['c.body() of 20 MiB', (c) => c.body('x'.repeat(20 * MIB)), /^x{1000}/],
  ['a Blob of 10 MiB', () => new Response(new Blob(['x'.repeat(10 * MIB)])), /^x{1000}/],
]

/** A body of what a generator gives, as it is read. */
export function streamOf(parts: AsyncIterator<string>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await parts.next()
      if (done) controller.close()
      else controller.enqueue(new TextEncoder().encode(value))
    },
  })
}

/** A body of the handler's own making, in which a statement runs when it is read. */
export function asking(
  c: C,
  more: (controller: ReadableStreamDefaultController) => void = () => {},
) {
  return new ReadableStream(
    {
      async pull(controller) {
        await c.var.sql`insert into deeds values ('body')`
        controller.enqueue(new TextEncoder().encode('asked'))
        more(controller)
        controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}

async function* parts(c: C): AsyncGenerator<Uint8Array> {
  await c.var.sql`insert into deeds values ('body')`
  yield new TextEncoder().encode('asked')
}

/** Bodies of which nobody can tell that they are no values. */
export const ASKING: readonly [string, Make][] = [
  ['HTML', (c) => new Response(asking(c), typed('text/html; charset=UTF-8'))],
  ['JSON', (c) => new Response(asking(c), typed('application/json'))],
  ['a text', (c) => new Response(asking(c), typed('text/plain;charset=UTF-8'))],
  ['CSV', (c) => new Response(asking(c), typed('text/csv'))],
  ['no type', (c) => new Response(asking(c))],
  ['a generator', (c) => new Response(parts(c) as never, typed('application/json'))],
  ['a length', (c) => new Response(asking(c), { headers: { 'content-length': '5' } })],
]

/** Bodies that are made to be streamed. */
export const STREAMED: readonly [string, Make][] = [
  ['c.body()', (c) => c.body(asking(c))],
  ['c.body() of a generator', (c) => c.body(parts(c) as never)],
  ['c.newResponse()', (c) => c.newResponse(asking(c), typed('text/html'))],
  ['stream()', (c) => stream(c, async (body) => void (await body.write('x')))],
  ['streamText()', (c) => streamText(c, async (body) => void (await body.write('x')))],
  ['streamSSE()', (c) => streamSSE(c, async (body) => body.writeSSE({ data: 'x' }))],
  ['server-sent events', (c) => new Response(asking(c), typed('text/event-stream'))],
]
