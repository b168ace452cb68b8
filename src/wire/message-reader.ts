import { Backend, notPostgres, readUint32 } from './messages.ts'

const HEADER_BYTES = 5

/**
 * Splits a byte stream into messages, however the network cut it. Messages are pieces of the chunks in
 * which they came; only one that lies in several is copied, once its last byte is there.
 */
export class MessageReader {
  #chunks: Uint8Array[] = []
  /** Where the next message begins in the first chunk. */
  #at = 0
  #available = 0
  #limit: number

  /** Takes the longest message to accept, in bytes. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Accepts longer messages from now on. */
  set limit(bytes: number) {
    this.#limit = bytes
  }

  /** Bytes that are buffered and not yet read as a message. */
  get available(): number {
    return this.#available
  }

  /** Adds bytes as they came. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#available += chunk.length
  }

  /** The next whole message, its five-byte header included; `undefined` until it is complete. */
  next(): Uint8Array | undefined {
    if (this.#available < HEADER_BYTES) return undefined
    const [first] = this.#chunks
    if (!first) return undefined
    const inFirst = first.length - this.#at
    const length =
      inFirst < HEADER_BYTES
        ? this.#lengthAt(this.#join(HEADER_BYTES), 0)
        : this.#lengthAt(first, this.#at)
    if (this.#available < length) return undefined
    if (inFirst >= length) return this.#take(first, length)
    const message = this.#join(length)
    this.#drop(length)
    return message
  }

  /** The rows that come next, as one piece, as far as they are whole and lie side by side. */
  nextRows(): Uint8Array | undefined {
    const [first] = this.#chunks
    if (!first) return undefined
    let end = this.#at
    while (end + HEADER_BYTES <= first.length && isRow(first[end])) {
      const length = this.#lengthAt(first, end)
      if (end + length > first.length) break
      end += length
    }
    return end > this.#at ? this.#take(first, end - this.#at) : undefined
  }

  #lengthAt(bytes: Uint8Array, at: number): number {
    const length = readUint32(bytes, at + 1) + 1
    if (length < HEADER_BYTES || length > this.#limit) throw notPostgres()
    return length
  }

  #take(first: Uint8Array, length: number): Uint8Array {
    const start = this.#at
    this.#available -= length
    this.#at += length
    if (this.#at === first.length) {
      this.#chunks.shift()
      this.#at = 0
    }
    return first.subarray(start, start + length)
  }

  /** A copy of so many bytes from the beginning, which are there. */
  #join(length: number): Uint8Array {
    const joined = new Uint8Array(length)
    let at = 0
    let start = this.#at
    for (const chunk of this.#chunks) {
      if (at >= length) break
      const piece = chunk.subarray(start, start + length - at)
      joined.set(piece, at)
      at += piece.length
      start = 0
    }
    return joined
  }

  #drop(length: number): void {
    this.#available -= length
    let end = this.#at + length
    const kept = this.#chunks.findIndex((chunk) => {
      if (end < chunk.length) return true
      end -= chunk.length
      return false
    })
    this.#chunks.splice(0, kept < 0 ? this.#chunks.length : kept)
    this.#at = end
  }
}

function isRow(type: number | undefined): boolean {
  return type === Backend.dataRow || type === Backend.copyData
}
