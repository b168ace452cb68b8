import { Gate } from './gate.ts'
import { concat } from './messages.ts'
import type { Connection } from './transport.ts'

/** As much is joined into one write; more would be copied for nothing. */
const JOINED_BYTES = 65_536

interface Entry {
  bytes: Uint8Array
  taken: () => void
  failed: (error: unknown) => void
}

const NOTHING = new Uint8Array()

/** Writes to a connection in order. What is written in one turn leaves together, as far as it is small. */
export class Outbox {
  #connection: Connection
  #failed: (error: unknown) => void
  #entries: Entry[] = []
  #writing = false
  #pending = 0
  /** Bytes that may still leave before {@link Outbox.open}. */
  #early: number
  #gate = new Gate()

  /** Takes what is called for each write that fails, and how many bytes may leave at first. */
  constructor(
    connection: Connection,
    failed: (error: unknown) => void,
    early: number = Number.POSITIVE_INFINITY,
  ) {
    this.#connection = connection
    this.#failed = failed
    this.#early = early
    if (early !== Number.POSITIVE_INFINITY) this.#gate.close()
  }

  /** From now on everything may leave. */
  open(): void {
    this.#early = Number.POSITIVE_INFINITY
    this.#gate.open()
  }

  /** Whether the other side has yet to take something. */
  get waiting(): boolean {
    return this.#pending > 0
  }

  /** Resolves when the runtime has taken the bytes; without any, when it has taken those before. */
  write(bytes: Uint8Array = NOTHING): Promise<void> {
    return new Promise((taken, failed) => {
      this.#pending += 1
      this.#entries.push({ bytes, taken, failed })
      if (!this.#writing) void this.#writeAll()
    })
  }

  async #writeAll(): Promise<void> {
    this.#writing = true
    await undefined
    while (this.#entries.length > 0) await this.#writeSome()
    this.#writing = false
  }

  async #writeSome(): Promise<void> {
    const batch = this.#nextBatch()
    try {
      const bytes = concat(batch.map((entry) => entry.bytes))
      if (bytes.length > 0) await this.#send(bytes)
      this.#pending -= batch.length
      for (const { taken } of batch) taken()
    } catch (error) {
      this.#pending -= batch.length
      for (const { failed } of batch) {
        failed(error)
        this.#failed(error)
      }
    }
  }

  async #send(bytes: Uint8Array): Promise<void> {
    const now = bytes.subarray(0, this.#early)
    this.#early -= now.length
    if (now.length > 0) await this.#connection.write(now)
    if (now.length === bytes.length) return
    await this.#gate.passed()
    await this.#connection.write(bytes.subarray(now.length))
  }

  /** At least one. */
  #nextBatch(): Entry[] {
    let bytes = 0
    const over = this.#entries.findIndex((entry, at) => {
      bytes += entry.bytes.length
      return at > 0 && bytes > JOINED_BYTES
    })
    return this.#entries.splice(0, over < 0 ? this.#entries.length : over)
  }
}
