import { Deadline } from '../wire/deadline.ts'
import { decodeText } from '../wire/messages.ts'
import { clientLeft, tooLarge, tooSlow } from './failures.ts'
import { HeldBytes } from './held-bytes.ts'

/** What the body of a request may take; see the options of the same names. */
export interface BodyLimits {
  maxMessageBytes: number
  idleTimeoutMs: number
  bodyTimeoutMs: number
}

type Reader = ReadableStreamDefaultReader<Uint8Array>

/**
 * Reads the body of a request as text, as long as its bytes keep coming.
 *
 * @throws {NullpoolError} `ERR_GATEWAY_SIZE`, `ERR_GATEWAY_TIMEOUT`, or `ERR_ABORTED` where its client leaves.
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<string> {
  const { maxMessageBytes } = limits
  if (Number(request.headers.get('content-length')) > maxMessageBytes) {
    throw tooLarge(maxMessageBytes)
  }
  const reader: Reader | undefined = request.body?.getReader()
  if (!reader) return ''
  try {
    return decodeText(await readInTime(reader, limits))
  } catch (error) {
    // What comes now is for nobody, and a runtime may say that a stream which has failed cannot be cancelled.
    void reader.cancel().catch(() => undefined)
    throw error
  }
}

function readInTime(reader: Reader, limits: BodyLimits): Promise<Uint8Array> {
  const [idle, whole] = [new Deadline(), new Deadline()]
  const { idleTimeoutMs, bodyTimeoutMs } = limits
  return new Promise<Uint8Array>((resolve, reject) => {
    const expire = (): void => reject(tooSlow())
    const touch = (): void => idle.start(idleTimeoutMs, expire)
    whole.start(bodyTimeoutMs, expire)
    touch()
    readAll(reader, limits.maxMessageBytes, touch).then(resolve, reject)
  }).finally(() => {
    idle.stop()
    whole.stop()
  })
}

async function readAll(
  reader: Reader,
  maxMessageBytes: number,
  touch: () => void,
): Promise<Uint8Array> {
  const held = new HeldBytes()
  for (;;) {
    const { done, value } = await reader.read().catch((cause) => {
      throw clientLeft(cause)
    })
    if (done) return held.release()
    if (held.length + value.length > maxMessageBytes) throw tooLarge(maxMessageBytes)
    if (value.length > 0) touch()
    held.add(value)
  }
}
