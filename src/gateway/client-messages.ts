import { Frontend, readUint32 } from '../wire/messages.ts'
import { HeldBytes } from './held-bytes.ts'

/** Longer statements pass unread. */
export const READ_UP_TO = 1_048_576

/** Servers take no longer ones (`MAX_STARTUP_PACKET_LENGTH`). */
const STARTUP_LIMIT = 10_000
const STARTUP_HEAD = 8
const HEAD = 5

const PROTOCOL_3 = 3
const SSL_REQUEST = 80_877_103
const GSS_REQUEST = 80_877_104

const TYPES: ReadonlySet<number | undefined> = new Set(Object.values(Frontend))

/**
 * What a client sends, message by message, as far as it can be read. Statements are kept until they are whole,
 * and may be changed then; everything else passes as it comes. What is no protocol that is known here, such as
 * what comes behind a handshake of TLS, passes to the end.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export class ClientMessages {
  readonly #revise: (message: Uint8Array) => Uint8Array
  #stage: 'startup' | 'messages' = 'startup'
  #unread = false
  /** The first bytes of a message that passes. */
  #head = new Uint8Array(STARTUP_HEAD)
  #headLength = 0
  /** Bytes of the message at hand that pass. */
  #left = 0
  /** A statement that is still arriving. */
  readonly #held = new HeldBytes()
  #chunk: Uint8Array = new Uint8Array()
  #at = 0
  /** Where in the chunk begins what has not been given away. */
  #from = 0
  #out: Uint8Array[] = []

  /**
   * @param revise - Given each Query and Parse, gives what is sent in its place: the same, or one of the same
   *   kind.
   */
  constructor(revise: (message: Uint8Array) => Uint8Array) {
    this.#revise = revise
  }

  /** Takes bytes as they came, and gives what is to be sent by now. */
  take(chunk: Uint8Array): Uint8Array[] {
    if (this.#unread) return [chunk]
    this.#chunk = chunk
    this.#at = 0
    this.#from = 0
    this.#out = []
    while (this.#at < chunk.length && !this.#unread) this.#step()
    this.#give(chunk.length)
    return this.#out
  }

  /** What is still kept: the client sends no more. */
  rest(): Uint8Array[] {
    return this.#held.length > 0 ? [this.#held.release()] : []
  }

  #step(): void {
    if (this.#left > 0) {
      const passing = Math.min(this.#left, this.#chunk.length - this.#at)
      this.#left -= passing
      this.#at += passing
    } else if (this.#held.length > 0) this.#hold()
    else if (this.#stage === 'startup') this.#readStartup()
    else if (this.#headLength === 0 && isStatement(this.#chunk[this.#at])) this.#readStatement()
    else this.#readHead()
  }

  #readStartup(): void {
    const isWhole = this.#collect(STARTUP_HEAD)
    // A TLS handshake, for one, begins with another byte.
    if (this.#head[0] !== 0) return this.#giveUp()
    if (!isWhole) return
    this.#headLength = 0
    const [length, code] = [readUint32(this.#head, 0), readUint32(this.#head, 4)]
    // What comes behind the server's answer tells by itself whether it is encrypted.
    if (length === STARTUP_HEAD && (code === SSL_REQUEST || code === GSS_REQUEST)) return
    if (code >> 16 !== PROTOCOL_3 || length < STARTUP_HEAD || length > STARTUP_LIMIT) {
      return this.#giveUp()
    }
    this.#left = length - STARTUP_HEAD
    this.#stage = 'messages'
  }

  #readHead(): void {
    const isWhole = this.#collect(HEAD)
    if (!TYPES.has(this.#head[0])) return this.#giveUp()
    if (!isWhole) return
    this.#headLength = 0
    this.#left = lengthOf(this.#head) - HEAD
    if (this.#left < 0) this.#giveUp()
  }

  #readStatement(): void {
    const rest = this.#chunk.subarray(this.#at)
    const length = rest.length < HEAD ? 0 : lengthOf(rest)
    if (length < HEAD || length > rest.length) {
      this.#give(this.#at)
      return this.#hold()
    }
    if (length <= READ_UP_TO) {
      const message = rest.subarray(0, length)
      const revised = this.#revise(message)
      if (revised !== message) {
        this.#give(this.#at)
        this.#out.push(revised)
        this.#from = this.#at + length
      }
    }
    this.#at += length
  }

  /** Keeps what there is of a statement, until it is whole. */
  #hold(): void {
    const known = this.#held.length >= HEAD
    const missing = (known ? lengthOf(this.#held.bytes) : HEAD) - this.#held.length
    const end = Math.min(this.#chunk.length, this.#at + missing)
    this.#held.add(this.#chunk.subarray(this.#at, end))
    this.#at = end
    this.#from = end
    if (this.#held.length < HEAD) return
    const length = lengthOf(this.#held.bytes)
    const [isBroken, isLong] = [length < HEAD, length > READ_UP_TO]
    if (isBroken || isLong) {
      this.#left = Math.max(0, length - this.#held.length)
      this.#out.push(this.#held.release())
      if (isBroken) this.#giveUp()
    } else if (this.#held.length === length) this.#out.push(this.#revise(this.#held.release()))
  }

  /** Copies the first bytes of a message, which pass. True once there are as many. */
  #collect(size: number): boolean {
    const end = Math.min(this.#chunk.length, this.#at + size - this.#headLength)
    this.#head.set(this.#chunk.subarray(this.#at, end), this.#headLength)
    this.#headLength += end - this.#at
    this.#at = end
    return this.#headLength === size
  }

  /** Gives away what lies before a place in the chunk. */
  #give(end: number): void {
    if (end > this.#from) this.#out.push(this.#chunk.subarray(this.#from, end))
    this.#from = end
  }

  #giveUp(): void {
    this.#unread = true
  }
}

function isStatement(type: number | undefined): boolean {
  return type === Frontend.query || type === Frontend.parse
}

/** Of a whole message. */
function lengthOf(message: Uint8Array): number {
  return readUint32(message, 1) + 1
}
