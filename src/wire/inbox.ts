import { Gate } from './gate.ts'
import type { MessageReader } from './message-reader.ts'
import type { NamedStatements } from './named-statements.ts'
import type { Connection } from './transport.ts'

/** What is told of what comes. */
export interface InboxEvents {
  /** Whether rows may come as one piece. */
  passesRows(): boolean
  received(bytes: number): void
  rows(rows: Uint8Array): void
  /** A whole message. What is thrown ends the reading. */
  message(message: Uint8Array): void
  /** Everything that has come has been told. */
  emptied(): void
  /** Nothing more comes: for an error or, without one, because the other side has closed. */
  ended(error?: unknown): void
}

/** Reads a connection message by message. */
export class Inbox {
  #connection: Connection
  #reader: MessageReader
  #names: NamedStatements | undefined
  #events: InboxEvents
  #gate = new Gate()
  #stopped = false

  /** Takes what sees every message first, if anything, and may keep it. */
  constructor(
    connection: Connection,
    reader: MessageReader,
    names: NamedStatements | undefined,
    events: InboxEvents,
  ) {
    this.#connection = connection
    this.#reader = reader
    this.#names = names
    this.#events = events
  }

  /** Whether reading has been stopped for now. */
  get paused(): boolean {
    return this.#gate.closed
  }

  /** Stops reading, so that the server's send buffer fills, or reads on. */
  read(on: boolean): void {
    if (on) this.#gate.open()
    else this.#gate.close()
  }

  /** Tells nothing more. */
  stop(): void {
    this.#stopped = true
    this.#gate.open()
  }

  /** Reads until {@link Inbox.stop}. Never rejects. */
  async readOn(): Promise<void> {
    try {
      this.#drain()
      while (!this.#stopped) {
        await this.#gate.passed()
        const chunk = await this.#connection.read()
        if (!chunk) return this.#events.ended()
        this.#events.received(chunk.length)
        this.#reader.push(chunk)
        this.#drain()
      }
    } catch (error) {
      this.#events.ended(error)
    }
  }

  #drain(): void {
    while (!this.#stopped) {
      const passes = this.#events.passesRows() && !this.#names?.skipping
      const rows = passes ? this.#reader.nextRows() : undefined
      const message = rows ? undefined : this.#reader.next()
      if (rows) this.#events.rows(rows)
      else if (message) this.#tell(message)
      else break
    }
    this.#events.emptied()
  }

  #tell(message: Uint8Array): void {
    const seen = this.#names ? this.#names.reply(message) : message
    if (seen) this.#events.message(seen)
  }
}
