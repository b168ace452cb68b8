import type { NullpoolError } from '../errors.ts'
import { Deadline } from '../wire/deadline.ts'
import { encodeText } from '../wire/messages.ts'
import { unread } from './failures.ts'

/** Longer answers leave in pieces of so many bytes. */
const PIECE = 65_536

/** The body of an answer that is on its way. */
export interface AnswerBody {
  content: string | ReadableStream<Uint8Array<ArrayBuffer>>
  /** In bytes. */
  length: number
  /** Resolves when its client has taken it or has gone, or with the failure of one that did not take it. */
  left: Promise<NullpoolError | undefined>
}

/**
 * Makes a body that is known to have left: what waits for clients that do not read would fill the memory. A
 * short one is as good as gone.
 *
 * @param idleTimeoutMs - How long the next piece may not be asked for.
 */
export function answerBody(text: string, idleTimeoutMs: number): AnswerBody {
  const bytes = encodeText(text)
  const { length } = bytes
  if (length <= PIECE) return { content: text, length, left: Promise.resolve(undefined) }
  const { stream, left } = inPieces(bytes, idleTimeoutMs)
  return { content: ofLength(stream, length), length, left }
}

function inPieces(
  whole: Uint8Array,
  idleTimeoutMs: number,
): { stream: ReadableStream<Uint8Array<ArrayBuffer>>; left: AnswerBody['left'] } {
  const idle = new Deadline()
  let rest = whole
  let leave: (failure?: NullpoolError) => void = () => undefined
  const left = new Promise<NullpoolError | undefined>((resolve) => {
    leave = (failure) => {
      idle.stop()
      rest = new Uint8Array()
      resolve(failure)
    }
  })
  const giveUp = (controller: ReadableStreamDefaultController): void => {
    const failure = unread()
    controller.error(failure)
    leave(failure)
  }
  const source: UnderlyingDefaultSource<Uint8Array<ArrayBuffer>> = {
    start: (controller) => idle.start(idleTimeoutMs, () => giveUp(controller)),
    pull(controller) {
      // A copy: a piece that waits somewhere must not keep all of them.
      controller.enqueue(new Uint8Array(rest.subarray(0, PIECE)))
      rest = rest.subarray(PIECE)
      if (rest.length > 0) return idle.start(idleTimeoutMs, () => giveUp(controller))
      controller.close()
      leave()
    },
    cancel: () => leave(),
  }
  return { stream: new ReadableStream(source, { highWaterMark: 0 }), left }
}

/** A stream whose length the runtime announces: Workers announce no other one's. */
function ofLength(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  length: number,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const FixedLength: unknown = Reflect.get(globalThis, 'FixedLengthStream')
  if (typeof FixedLength !== 'function') return stream
  const { readable, writable } = Reflect.construct(FixedLength, [length]) as TransformStream<
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>
  >
  // Its end shows in the stream.
  stream.pipeTo(writable).catch(() => undefined)
  return readable
}
