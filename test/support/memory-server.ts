// The network's other end in memory: a Transport whose peer is driven by a test, write by write. It
// knows framing and nothing of src/wire, so that a mistake there cannot agree with itself.

import type {
  Address,
  Connection,
  ConnectOptions,
  TlsOptions,
  Transport,
} from '../../src/wire/transport.ts'
import { TransportError } from '../../src/wire/transport.ts'
import type { Frame } from './wire-messages.ts'

const CODES: Record<number, string> = {
  80877103: 'SSLRequest',
  80877102: 'CancelRequest',
  196608: 'Startup',
}

/** One turn of the event loop: everything that goes on in memory comes to rest in it. */
export function rest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A transport that reaches peers in memory. */
export class MemoryServer implements Transport {
  readonly name = 'memory'
  /** Every connection so far. */
  readonly peers: MemoryPeer[] = []
  /** What the next attempts to connect reject with. */
  refusal: Error | undefined
  /** Whether attempts to connect stay pending until they are given up. */
  silent = false
  #accepted = 0
  #waiting: ((peer: MemoryPeer) => void) | undefined

  connect(address: Address, options: ConnectOptions): Promise<Connection> {
    if (this.refusal) return Promise.reject(this.refusal)
    if (this.silent) return rejectWhenAborted(options.signal)
    const peer = new MemoryPeer(address, options)
    this.peers.push(peer)
    this.#waiting?.(peer)
    return Promise.resolve(peer.connection)
  }

  /** The next connection, as soon as there is one. */
  async accept(): Promise<MemoryPeer> {
    const peer = this.peers[this.#accepted]
    this.#accepted += 1
    if (peer) return peer
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }
}

function rejectWhenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new TransportError('lost', 'aborted')))
  })
}

/** The server's side of one connection. */
export class MemoryPeer {
  readonly address: Address
  readonly options: ConnectOptions
  readonly connection: Connection
  /** What the client wrote, one entry a write. */
  readonly writes: Buffer[] = []
  /** The options of startTls, once it was called. */
  tls: TlsOptions | undefined
  /** How the client left. */
  ended: 'closed' | 'destroyed' | undefined
  /** While true, `close` of the client stays pending. */
  stallsClose = false
  /** Reject to break a write; pending to stall it. */
  onWrite: (() => Promise<void>) | undefined
  readonly #frames: Frame[] = []
  #partial: Buffer = Buffer.alloc(0)
  #startingUp = true
  #wakeServer: (() => void) | undefined
  readonly #chunks: Uint8Array[] = []
  #over: Error | 'finished' | undefined
  #wakeClient: (() => void) | undefined

  constructor(address: Address, options: ConnectOptions) {
    this.address = address
    this.options = options
    this.connection = {
      read: () => this.#read(),
      write: (bytes) => this.#take(bytes),
      startTls: async (tls) => {
        if (this.reading) throw new Error('startTls was called while a read was outstanding.')
        this.tls = tls
        return this.connection
      },
      close: () => this.#close(),
      destroy: () => {
        this.ended ??= 'destroyed'
        this.#over ??= new TransportError('lost', 'destroyed here')
        this.#wakeClient?.()
      },
    }
  }

  /** Whether the client waits for bytes. */
  get reading(): boolean {
    return this.#wakeClient !== undefined
  }

  /** Tags of messages that have come and were not taken by {@link next}. */
  get unread(): string {
    return this.#frames.map((frame) => frame.tag).join('')
  }

  /** The next message, as soon as it is whole. */
  async next(): Promise<Frame> {
    for (;;) {
      const frame = this.#frames.shift()
      if (frame) return frame
      await new Promise<void>((resolve) => {
        this.#wakeServer = resolve
      })
    }
  }

  /** Takes as many messages as tags are given, and throws where they differ. */
  async expect(...tags: string[]): Promise<Frame[]> {
    const frames: Frame[] = []
    for (const tag of tags) {
      const frame = await this.next()
      if (frame.tag !== tag) throw new Error(`Expected ${tag}, the client sent ${frame.tag}.`)
      frames.push(frame)
    }
    return frames
  }

  /** Delivers everything as one chunk. */
  send(...messages: readonly Uint8Array[]): void {
    const chunk = new Uint8Array(Buffer.concat(messages))
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#wakeClient?.()
  }

  /** Closes the server's side, or with an error breaks the connection. */
  finish(error?: Error): void {
    this.#over ??= error ?? 'finished'
    this.#wakeClient?.()
  }

  async #read(): Promise<Uint8Array | undefined> {
    if (this.reading) throw new Error('Two reads are outstanding.')
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk) return chunk
      if (this.#over === 'finished') return undefined
      if (this.#over) throw this.#over
      await new Promise<void>((resolve) => {
        this.#wakeClient = resolve
      })
      this.#wakeClient = undefined
    }
  }

  async #take(bytes: Uint8Array): Promise<void> {
    if (this.ended) throw new TransportError('lost', 'written after the end')
    await this.onWrite?.()
    this.writes.push(Buffer.from(bytes))
    this.#partial = Buffer.concat([this.#partial, bytes])
    for (let frame = this.#cut(); frame; frame = this.#cut()) this.#frames.push(frame)
    this.#wakeServer?.()
  }

  async #close(): Promise<void> {
    if (this.stallsClose) return new Promise(() => undefined)
    this.ended ??= 'closed'
    this.#over ??= 'finished'
    this.#wakeClient?.()
  }

  #cut(): Frame | undefined {
    const head = this.#startingUp ? 0 : 1
    if (this.#partial.length < head + 4) return undefined
    const end = head + this.#partial.readUInt32BE(head)
    if (this.#partial.length < end) return undefined
    const payload = this.#partial.subarray(head + 4, end)
    const tag = this.#startingUp
      ? (CODES[payload.readUInt32BE(0)] ?? 'unknown')
      : this.#partial.toString('latin1', 0, 1)
    this.#partial = this.#partial.subarray(end)
    if (tag === 'Startup') this.#startingUp = false
    return { tag, payload }
  }
}
