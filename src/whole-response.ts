import { NullpoolError } from './errors.ts'
import type { BodyOrigin } from './response.ts'

const MIB = 1_048_576

/** More of a body is not kept in memory, unless it comes in one piece and is there anyway. */
const MAX_MIB = 32

/**
 * The same response with a body that is complete, for which it is read to its end. One that is made to be
 * streamed is refused at once. A body that is given up is cancelled.
 *
 * @param failed - Rejects where there is no sense in waiting any more.
 * @throws {NullpoolError} `ERR_TRANSACTION_STREAM`.
 */
export async function wholeResponse(
  response: Response,
  origin: BodyOrigin,
  timeoutMs: number,
  failed: Promise<never>,
): Promise<Response> {
  const { body } = response
  if (!body) return response
  if (origin === 'stream' || isEventStream(response)) {
    body.cancel().catch(() => undefined)
    throw refused('A request that is a transaction cannot stream its response.')
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLong(`${timeoutMs} ms (queryTimeoutMs)`)), timeoutMs)
  })
  try {
    const reader = body.getReader()
    const reading = read(reader)
    const pieces = await Promise.race([reading, late, failed]).catch((error: unknown) => {
      reader.cancel(error).catch(() => undefined)
      throw error
    })
    return new Response(joined(pieces), response)
  } catch (error) {
    if (NullpoolError.is(error) && error.code === 'ERR_TRANSACTION_STREAM') throw error
    throw refused('The body of a response failed that belonged to a transaction.', error)
  } finally {
    clearTimeout(timer)
  }
}

/** What nobody ends, whoever has made it. */
function isEventStream({ headers }: Response): boolean {
  return /^text\/event-stream\b/i.test(headers.get('content-type') ?? '')
}

type Bytes = Uint8Array<ArrayBuffer>

async function read(reader: ReadableStreamDefaultReader<Bytes>): Promise<Bytes[]> {
  const pieces: Bytes[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return pieces
    if (!ArrayBuffer.isView(value)) throw new TypeError('A body gave something that is no bytes.')
    pieces.push(value)
    size += value.byteLength
    if (size > MAX_MIB * MIB && pieces.length > 1) throw tooLong(`${MAX_MIB} MiB`)
  }
}

function joined(pieces: Bytes[]): Bytes {
  const [first = new Uint8Array()] = pieces
  if (pieces.length < 2) return first
  const all = new Uint8Array(pieces.reduce((size, { length }) => size + length, 0))
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}

function tooLong(limit: string): NullpoolError {
  return refused(
    `The body of a response of unknown making is part of its transaction, and did not end within ${limit}.`,
  )
}

function refused(what: string, cause?: unknown): NullpoolError {
  return new NullpoolError('ERR_TRANSACTION_STREAM', `${what} The transaction was rolled back.`, {
    ...(cause === undefined ? {} : { cause }),
    outcome: 'rolled back',
    hint: 'Give a complete body to c.body() or c.json(), or mount nullpool() without transaction on this route and use c.var.db.transaction().',
  })
}
