import type { NullpoolError } from '../errors.ts'
import { Deadline, settledWithin } from '../wire/deadline.ts'
import { encodeText } from '../wire/messages.ts'
import type { Connection } from '../wire/transport.ts'
import type { ClientMessages } from './client-messages.ts'
import { closeReason, failureMessage, tellingOf, tooLarge } from './failures.ts'
import { type JoinedMessages, PendingMessages } from './pending-messages.ts'
import { asksForTls, TELLING_BYTES } from './tls-request.ts'
import type { TunnelPeer } from './tunnel-peer.ts'

/** What one tunnel may use; see the options of the same names. */
export interface TunnelLimits {
  maxMessageBytes: number
  maxBufferedBytes: number
  idleTimeoutMs: number
  /** How long a server may go on behind the goodbye of its client. */
  partingTimeoutMs: number
}

/** What a tunnel looks at of what its client sends. */
export interface TunnelChecks {
  /** Refuses a client that does not begin by asking its server for TLS. */
  refuseClear?: NullpoolError | undefined
  /** Reads the client's messages, and changes some. */
  messages?: ClientMessages | undefined
}

/** How a tunnel has ended. */
export interface TunnelEnd {
  status: number
  bytesToServer: number
  bytesToClient: number
}

/** Bytes that wait in either direction before whoever sends them is stopped. */
const STOP_AT = 1_048_576
const GO_ON_AT = 262_144
/** No runtime tells when a WebSocket has sent what it was given. */
const LOOK_AGAIN_MS = 4
/** How long a server, or a client that was refused, may take to say goodbye. */
const CLOSE_TIMEOUT_MS = 1_000

/** How a tunnel leaves its server; what was written before is still with a server that is busy. */
type Parting = 'at once' | 'with a goodbye' | 'once all is done'

/**
 * Bytes between a WebSocket and a server, as they are but for what the checks change: what a message holds
 * is written, what is read becomes a message. Neither side may be faster than the other by more than the limits.
 */
export class Tunnel {
  readonly ended: Promise<TunnelEnd>
  readonly #peer: TunnelPeer
  readonly #limits: TunnelLimits
  readonly #idle = new Deadline()
  readonly #messages: ClientMessages | undefined
  #refuseClear: NullpoolError | undefined
  #connection: Connection | undefined
  readonly #pending = new PendingMessages()
  /** The client's first bytes, as many as tell whether it asks for TLS. */
  #head = new Uint8Array()
  #paused = false
  #writing = false
  #peerGone = false
  /** When a client that has said goodbye is forgotten. */
  #leaveBy = Number.POSITIVE_INFINITY
  #over = false
  /** Lasts until the server's end. */
  #reading: Promise<void> | undefined
  #resolve: (end: TunnelEnd) => void = () => undefined
  #bytesToServer = 0
  #bytesToClient = 0

  constructor(peer: TunnelPeer, limits: TunnelLimits, checks: TunnelChecks = {}) {
    this.#peer = peer
    this.#limits = limits
    this.#refuseClear = checks.refuseClear
    this.#messages = checks.messages
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve
    })
    this.#touch()
  }

  /** Whether nothing passes any more. */
  get over(): boolean {
    return this.#over
  }

  /** The server's end; what the client has sent so far goes there. */
  open(connection: Connection): void {
    if (this.#over) return connection.destroy()
    this.#connection = connection
    this.#touch()
    this.#reading = this.#toClient(connection)
    void this.#toServer()
  }

  /** A message of the client. */
  message(data: unknown): void {
    if (this.#over) return
    const bytes = bytesOf(data)
    if (!bytes) return this.#end(1003, 'Blobs are not taken', 'at once')
    const { maxMessageBytes, maxBufferedBytes } = this.#limits
    if (bytes.length > maxMessageBytes) {
      return this.#end(1009, closeReason(tooLarge(maxMessageBytes)), 'at once')
    }
    // Who says nothing is idle, however often it says it.
    if (bytes.length === 0) return
    this.#touch()
    if (this.#pending.size > maxBufferedBytes) {
      return this.#end(1013, 'The server does not keep up', 'at once')
    }
    for (const each of this.#messages?.take(bytes) ?? [bytes]) this.#pending.add(each)
    if (this.#refuseClear) this.#keepHead(bytes)
    if (this.#pending.size > STOP_AT && !this.#paused) this.#paused = this.#peer.pause(true)
    void this.#toServer()
  }

  /**
   * The client has gone. After a goodbye, what it sent before still gets there, as it does behind a half-close of
   * TCP: the server has a while to do it and to hang up.
   */
  closed(clean: boolean): void {
    // Workers tell of an error too, behind a close.
    if (this.#peerGone) return
    this.#peerGone = true
    if (!clean || !this.#connection || this.#refuseClear) return this.#end(1006, '', 'at once')
    this.#leaveBy = Date.now() + this.#limits.partingTimeoutMs
    this.#touch()
    for (const each of this.#messages?.rest() ?? []) this.#pending.add(each)
    void this.#toServer()
  }

  /** Tells a failure in the words of Postgres, where no server has said a word. */
  fail(error: NullpoolError): void {
    if (this.#over) return
    if (this.#bytesToClient === 0) this.#peer.send(failureMessage(error))
    this.#end(tellingOf(error).closeStatus, closeReason(error), 'at once')
    // Whoever is refused is not waited for.
    setTimeout(() => this.#peer.destroy(), CLOSE_TIMEOUT_MS)
  }

  async #toServer(): Promise<void> {
    const connection = this.#connection
    if (!connection || this.#writing || this.#over || !this.#mayWrite()) return
    this.#writing = true
    try {
      for (let next = this.#pending.take(); next; next = this.#pending.take()) {
        await connection.write(next.bytes)
        this.#wrote(next)
      }
    } catch {
      // Why shows in what is read, and what the server has said before is the client's.
    }
    this.#writing = false
    if (this.#peerGone) this.#end(1000, '', 'once all is done')
  }

  #wrote(joined: JoinedMessages): void {
    this.#bytesToServer += joined.bytes.length
    this.#pending.written(joined)
    this.#touch()
    if (!this.#paused || this.#pending.size > GO_ON_AT) return
    this.#paused = false
    this.#peer.pause(false)
  }

  #keepHead(bytes: Uint8Array): void {
    const missing = TELLING_BYTES - this.#head.length
    if (missing > 0) this.#head = new Uint8Array([...this.#head, ...bytes.subarray(0, missing)])
  }

  #mayWrite(): boolean {
    if (!this.#refuseClear) return true
    const asks = asksForTls(this.#head)
    if (asks === false) this.fail(this.#refuseClear)
    if (asks) this.#refuseClear = undefined
    return asks === true
  }

  async #toClient(connection: Connection): Promise<void> {
    try {
      for (;;) {
        const bytes = await connection.read()
        if (!bytes) return this.#end(1000, 'TCP connection is closed', 'with a goodbye')
        // Nobody has it any more, and a server that is not read would not come to what is left.
        if (this.#over) continue
        this.#touch()
        this.#bytesToClient += bytes.length
        this.#peer.send(bytes)
        await this.#sent()
      }
    } catch {
      this.#end(1011, 'ERR_CONNECTION_LOST', 'at once')
    }
  }

  /** Resolves once the client has taken so much that it can be sent more. */
  async #sent(): Promise<void> {
    let before = this.#peer.bufferedBytes
    while (before > STOP_AT && !this.#over && !this.#peerGone) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
      const now = this.#peer.bufferedBytes
      if (now < before) this.#touch()
      before = now
    }
  }

  #touch(): void {
    if (this.#over) return
    const waitMs = Math.min(this.#limits.idleTimeoutMs, this.#leaveBy - Date.now())
    this.#idle.start(waitMs, () => this.#expire())
  }

  #expire(): void {
    const stuck = this.#pending.size > 0 || this.#peer.bufferedBytes > STOP_AT
    if (!stuck) return this.#end(4408, 'Idle', 'with a goodbye')
    // Whoever does not read will not read a goodbye either.
    this.#end(1013, 'The other side does not keep up', 'at once')
    if (this.#peer.bufferedBytes > STOP_AT) this.#peer.destroy()
  }

  #end(status: number, reason: string, how: Parting): void {
    if (this.#over) return
    this.#over = true
    this.#idle.stop()
    this.#pending.clear()
    if (!this.#peerGone) this.#peer.close(status, reason)
    void this.#hangUp(how).then(() => {
      const [bytesToServer, bytesToClient] = [this.#bytesToServer, this.#bytesToClient]
      this.#resolve({ status, bytesToServer, bytesToClient })
    })
    if (this.#paused) this.#peer.pause(false)
  }

  async #hangUp(how: Parting): Promise<void> {
    const connection = this.#connection
    if (!connection) return
    const hasLeft = how !== 'at once' && (await this.#part(connection, how))
    if (!hasLeft) connection.destroy()
  }

  /** True when the server has hung up in time. */
  #part(connection: Connection, how: Exclude<Parting, 'at once'>): Promise<boolean> {
    if (how === 'with a goodbye') return settledWithin(connection.close(), CLOSE_TIMEOUT_MS)
    return settledWithin(this.#allDone(connection), this.#leaveBy - Date.now())
  }

  async #allDone(connection: Connection): Promise<void> {
    if (connection.endWriting) {
      await connection.endWriting().catch(() => undefined)
      await this.#reading
    }
    await connection.close()
  }
}

function bytesOf(data: unknown): Uint8Array | undefined {
  if (typeof data === 'string') return encodeText(data)
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : undefined
}
