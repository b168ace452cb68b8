import { concat } from '../wire/messages.ts'

/** What a message costs beside its bytes: many small ones would fill the memory as well as a large one. */
const MESSAGE_COST = 128

/** Small messages are written together, up to so many bytes: each write is a call of the system. */
const JOIN_UP_TO = 65_536

/** Messages that are to be written together. */
export interface JoinedMessages {
  bytes: Uint8Array
  /** What they counted in {@link PendingMessages.size}. */
  size: number
}

/** What a client has sent and its server has not got. */
export class PendingMessages {
  #messages: Uint8Array[] = []
  #size = 0

  /** Bytes, and what keeping them costs; those that are taken count until they are written. */
  get size(): number {
    return this.#size
  }

  add(bytes: Uint8Array): void {
    this.#messages.push(bytes)
    this.#size += bytes.length + MESSAGE_COST
  }

  /** The next ones; nothing when there are none. */
  take(): JoinedMessages | undefined {
    let [count, length] = [0, 0]
    for (const { length: more } of this.#messages) {
      if (count > 0 && length + more > JOIN_UP_TO) break
      count += 1
      length += more
    }
    if (count === 0) return undefined
    const bytes = concat(this.#messages.splice(0, count))
    return { bytes, size: length + count * MESSAGE_COST }
  }

  /** Those that were taken have been written. */
  written({ size }: JoinedMessages): void {
    this.#size -= size
  }

  clear(): void {
    this.#messages = []
  }
}
