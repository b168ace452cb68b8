import type { Connection } from './transport.ts'

/** Writes to a connection, one after the other. */
export class Outbox {
  #connection: Connection
  #failed: (error: unknown) => void
  #last: Promise<void> = Promise.resolve()
  #waiting = 0

  /** Takes what is called for each write that fails. */
  constructor(connection: Connection, failed: (error: unknown) => void) {
    this.#connection = connection
    this.#failed = failed
  }

  /** Whether the other side has yet to take something. */
  get waiting(): boolean {
    return this.#waiting > 0
  }

  /** Resolves when the runtime has taken the bytes; without any, when it has taken those before. */
  write(bytes?: Uint8Array): Promise<void> {
    this.#waiting += 1
    const written = this.#last.then(() => (bytes ? this.#connection.write(bytes) : undefined))
    this.#last = written.catch(this.#failed)
    return written.finally(() => {
      this.#waiting -= 1
    })
  }
}
