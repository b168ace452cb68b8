import { ASIDES, Backend, concat, queryMessage, readCString } from './messages.ts'

/** `T` and `E` in a ReadyForQuery. */
const IN_TRANSACTION = 0x54
const IN_FAILED_TRANSACTION = 0x45

/** The transaction that was begun for a flight, and ends with it. */
export class OwnTransaction {
  #ended = false
  #copyEnd: Uint8Array | undefined

  /** What ends it, where it is open at a ReadyForQuery of this status; asked once. */
  end(status: number | undefined): Uint8Array | undefined {
    const isOpen = status === IN_TRANSACTION && !this.#ended
    const isFailed = status === IN_FAILED_TRANSACTION && !this.#ended
    this.#ended = true
    if (isOpen) return queryMessage('commit')
    return isFailed ? queryMessage('rollback') : undefined
  }

  /**
   * What a driver gets of a reply. What says that a COPY has taken its rows is kept back: a driver ends its
   * stream by it, and has nobody left to tell that the COMMIT has failed.
   */
  pass(message: Uint8Array): Uint8Array | undefined {
    const type = message[0] ?? 0
    if (ASIDES.has(type)) return message
    const before = this.release()
    if (type === Backend.errorResponse) return message
    const isCopy = type === Backend.commandComplete && readCString(message, 5).startsWith('COPY ')
    if (!isCopy) return before ? concat([before, message]) : message
    // The buffer that it lies in may be read into again.
    this.#copyEnd = new Uint8Array(message)
    return before
  }

  /** What was kept back, once the COMMIT has been answered. */
  release(): Uint8Array | undefined {
    const end = this.#copyEnd
    this.#copyEnd = undefined
    return end
  }
}
