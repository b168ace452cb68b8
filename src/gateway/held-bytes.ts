const FIRST_SIZE = 1_024

/** Bytes of a message that is still arriving: they cost what has come, and not what was announced. */
export class HeldBytes {
  #bytes = new Uint8Array()
  #length = 0

  get length(): number {
    return this.#length
  }

  /** What is there; good until the next {@link HeldBytes.add}. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  add(more: Uint8Array): void {
    const needed = this.#length + more.length
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(FIRST_SIZE, needed, this.#bytes.length * 2))
      larger.set(this.bytes)
      this.#bytes = larger
    }
    this.#bytes.set(more, this.#length)
    this.#length = needed
  }

  /** Gives everything away. */
  release(): Uint8Array {
    const { bytes } = this
    this.#bytes = new Uint8Array()
    this.#length = 0
    return bytes
  }
}
