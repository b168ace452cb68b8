import type { WebSocketLike } from '@neondatabase/serverless'
import type { NullpoolError } from '../errors.ts'
import type { FrontListener } from '../wire/front-options.ts'
import { refused } from '../wire/local-answers.ts'
import {
  Backend,
  Frontend,
  isCopy,
  readUint32,
  syncMessage,
  type TransactionStatus,
} from '../wire/messages.ts'
import type { DriverConnection } from './driver.ts'

/** What a {@link FrontWebSocket} asks and tells the client that it is for. */
export interface FrontWebSocketOwner {
  /** Opens the front. */
  connect(listener: FrontListener): DriverConnection
  /** What the driver awaits is about to fail with this error, which it is told in the server's words. */
  failed(error: NullpoolError): void
  /** The status that the driver was told last. */
  answered(status: TransactionStatus): void
}

const CLOSED = 3
const OPEN = 1

/**
 * A front in the shape of a `WebSocket`, as far as Neon's driver uses one.
 *
 * It never fails and is never closed under the driver, whose client would be of no use from then on and
 * would emit an error that nobody may be listening for. What fails is told as an error of the server.
 *
 * @see https://github.com/neondatabase/serverless/blob/main/CONFIG.md
 */
export class FrontWebSocket implements WebSocketLike {
  binaryType = 'arraybuffer'
  readonly #owner: FrontWebSocketOwner
  readonly #listeners: [type: string, call: (event: object) => unknown][] = []
  #front: DriverConnection | undefined
  /** What the driver has written in this turn. */
  #written: Uint8Array[] = []
  /** Whether the driver has ended what it is at. */
  #synced = true
  /** Whether the driver has heard that what it is at has failed. */
  #failed = false
  #closed = false

  /** Takes its owner only: the driver's own argument is an address, which leads nowhere. */
  constructor(owner: FrontWebSocketOwner) {
    this.#owner = owner
    try {
      this.#front = owner.connect({
        data: (bytes) => this.#deliver(bytes),
        error: (error) => this.#fail(error),
        released() {},
        closed: () => this.#end(),
      })
    } catch {
      // Thrown from here, an error has the driver connect by itself.
      this.#endSoon()
    }
    if (this.#front) queueMicrotask(() => this.#emit('open', {}))
  }

  get readyState(): number {
    return this.#closed ? CLOSED : OPEN
  }

  addEventListener(type: string, listener: (event: object) => unknown): void {
    this.#listeners.push([type, listener.bind(this)])
  }

  /** Takes a message of the driver, who writes all that belongs together in one turn. */
  send(message: Uint8Array): void {
    // Behind its goodbye the driver waits for the other side to close.
    if (message[0] === Frontend.terminate) return this.close()
    if (this.#closed) return
    if (this.#written.length === 0) queueMicrotask(() => this.#pass())
    this.#written.push(message)
  }

  close(): void {
    this.#endSoon()
    if (this.#closed) return
    this.#pass()
    this.#closed = true
    // A connection that others go on with must not wait for the rest.
    if (!this.#synced) this.#front?.write(syncMessage())
    this.#front?.end()
  }

  #pass(): void {
    const messages = this.#written.splice(0)
    // The driver could not build its statement, and has said so: nothing is to be asked of the server.
    if (messages.at(-1)?.[0] === Frontend.parse) messages.splice(-1, 1, syncMessage())
    for (const [at, message] of messages.entries()) {
      const [type] = message
      // A Flush right before a Sync says nothing, and poolers do not expect it.
      const isVoid = type === Frontend.flush && messages[at + 1]?.[0] === Frontend.sync
      if (isVoid) continue
      if (type !== 0 && !isCopy(type ?? 0))
        this.#synced = type === Frontend.sync || type === Frontend.query
      this.#front?.write(message)
    }
  }

  #deliver(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += readUint32(bytes, at + 1) + 1) {
      if (bytes[at] === Backend.errorResponse) this.#failed = true
      if (bytes[at] !== Backend.readyForQuery) continue
      this.#failed = false
      this.#owner.answered(String.fromCharCode(bytes[at + 5] ?? 0) as TransactionStatus)
    }
    this.#emit('message', { data: bytes.slice().buffer })
  }

  #fail(error: NullpoolError): void {
    // A second error for the same statement is one that the driver's client would emit.
    if (this.#failed || this.#closed) return
    this.#owner.failed(error)
    this.#deliver(refused(error))
  }

  #endSoon(): void {
    queueMicrotask(() => this.#end())
  }

  #end(): void {
    this.#closed = true
    this.#emit('close', {})
  }

  #emit(type: string, event: object): void {
    if (this.#closed && type !== 'close') return
    try {
      for (const [wanted, call] of [...this.#listeners]) if (wanted === type) call(event)
    } catch (error) {
      // What a listener of the user's throws is no failure of the connection, which others use too.
      queueMicrotask(() => {
        throw error
      })
      this.close()
    }
  }
}
