/** Joins messages that lie side by side in one buffer, so that many rows are handed on as one piece. */
export class Delivery {
  #buffer: ArrayBufferLike | undefined
  #start = 0
  #end = 0

  /** Adds a message; returns the piece before it where the two do not touch. */
  add(message: Uint8Array): Uint8Array | undefined {
    const touches = this.#buffer === message.buffer && this.#end === message.byteOffset
    const before = touches ? undefined : this.take()
    if (!touches) {
      this.#buffer = message.buffer
      this.#start = message.byteOffset
    }
    this.#end = message.byteOffset + message.length
    return before
  }

  /** The piece so far; the next one starts empty. */
  take(): Uint8Array | undefined {
    if (!this.#buffer) return undefined
    const piece = new Uint8Array(this.#buffer, this.#start, this.#end - this.#start)
    this.#buffer = undefined
    return piece
  }
}
