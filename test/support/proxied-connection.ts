import type { Socket } from 'node:net'
import { setTimeout as delay, setImmediate as nextLoopTurn } from 'node:timers/promises'
import type { Direction, Fault, FaultAction, FaultEvent } from './proxy-faults.ts'
import { type Bytes, Lane, type Step } from './proxy-lane.ts'

/** The first sign of the end that the proxy saw. `proxy` is a fault, a cut or the proxy's stop. */
export type Closing = 'client-fin' | 'client-rst' | 'server-fin' | 'server-rst' | 'proxy'

/** One read of the proxy, as it came. */
export interface Chunk {
  readonly direction: Direction
  readonly bytes: Uint8Array
}

/** What happened on one connection since it was opened or since the last reset. */
export interface ProxyConnection {
  readonly turns: number
  /** Bytes received, whatever a fault did with them afterwards. */
  readonly bytesUp: number
  readonly bytesDown: number
  /** True until both sockets are closed. */
  readonly open: boolean
  readonly closedBy: Closing | undefined
  /** Empty unless the proxy records. */
  readonly transcript: readonly Chunk[]
}

export interface ConnectionOptions {
  client: Socket
  server: Socket
  record: boolean
  latencyMs: number
  position: () => number
  faults: () => readonly Fault[]
  changed: () => void
}

/** Joins two sockets, counting and interfering. */
export class ProxiedConnection implements ProxyConnection {
  turns = 0
  bytesUp = 0
  bytesDown = 0
  open = true
  /** Whether it is a request to cancel. */
  asksToCancel = false
  closedBy: Closing | undefined
  transcript: Chunk[] = []
  readonly #options: ConnectionOptions
  readonly #up: Lane
  readonly #down: Lane
  #clientIsSpeaking = false
  #isCut = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#up = new Lane('up', options.client, options.server)
    this.#down = new Lane('down', options.server, options.client)
    for (const lane of [this.#up, this.#down]) {
      lane.from.on('data', (bytes) => this.#receive(lane, bytes))
      lane.from.on('end', () => this.#ended(lane, 'fin'))
      lane.from.on('error', () => this.#ended(lane, 'rst'))
      lane.from.on('close', () => this.#closed())
    }
  }

  /** The server goes away. */
  cut(how: 'fin' | 'rst'): void {
    if (this.#isCut || !this.open) return
    this.#isCut = true
    this.closedBy ??= 'proxy'
    const { client, server } = this.#options
    if (how === 'rst') {
      client.resetAndDestroy()
      server.resetAndDestroy()
    } else {
      // Half closed, and what the client still sends is read and dropped: closing a socket with
      // unread bytes would make the kernel send RST instead of FIN.
      client.end()
      server.destroy()
    }
    this.#options.changed()
  }

  /** Closes both sockets whatever state they are in. */
  destroy(): void {
    this.cut('rst')
    this.#options.client.destroy()
    this.#options.server.destroy()
  }

  stall(direction: Direction): void {
    this.#lane(direction).stalled = true
  }

  resume(): void {
    for (const lane of [this.#up, this.#down]) {
      lane.stalled = false
      void this.#run(lane)
    }
  }

  reset(): void {
    this.turns = 0
    this.bytesUp = 0
    this.bytesDown = 0
    this.transcript = []
    // After a reset the client "speaks first", even if it had spoken last.
    this.#clientIsSpeaking = false
    this.#up.offered = 0
    this.#down.offered = 0
  }

  #lane(direction: Direction): Lane {
    return direction === 'up' ? this.#up : this.#down
  }

  #receive(lane: Lane, bytes: Buffer): void {
    const { direction } = lane
    if (direction === 'up') {
      if (this.bytesUp === 0 && isCancelRequest(bytes)) this.asksToCancel = true
      this.bytesUp += bytes.length
      if (!this.#clientIsSpeaking) this.turns += 1
      this.#clientIsSpeaking = true
    } else {
      this.bytesDown += bytes.length
    }
    if (this.#options.record) this.transcript.push({ direction, bytes })
    this.#enqueue(lane, { kind: 'bytes', bytes, turn: this.turns, due: this.#due() })
    this.#options.changed()
  }

  #ended(lane: Lane, kind: 'fin' | 'rst'): void {
    this.closedBy ??= `${lane === this.#up ? 'client' : 'server'}-${kind}`
    lane.ended = true
    this.#enqueue(lane, { kind, due: this.#due() })
    const nobodyListens = this.#up.ended && (this.#down.ended || kind === 'rst')
    if (nobodyListens && (this.#up.stalled || this.#down.stalled)) this.destroy()
    this.#options.changed()
  }

  #closed(): void {
    const { client, server } = this.#options
    if (!client.closed || !server.closed || !this.open) return
    this.open = false
    this.#options.changed()
  }

  #due(): number {
    return performance.now() + this.#options.latencyMs
  }

  #enqueue(lane: Lane, step: Step): void {
    if (this.#isCut) return
    lane.push(step)
    void this.#run(lane)
  }

  async #run(lane: Lane): Promise<void> {
    if (lane.running) return
    lane.running = true
    while (!lane.stalled && !this.#isCut) {
      const step = lane.next
      if (step === undefined) break
      if (lane === this.#down) await this.#travel(step.due)
      if (lane.stalled || this.#isCut) break
      lane.shift()
      if (step.kind === 'bytes') await this.#offer(lane, step)
      else await this.#finish(lane, step.kind)
    }
    lane.running = false
  }

  /**
   * The way back to the client.
   *
   * It takes one turn of the event loop at least. Chunks from the client that the kernel already
   * holds are read in that time, and so are counted before the server has spoken: nothing that the
   * client wrote can be an answer to bytes that it has not been given yet.
   */
  async #travel(due: number): Promise<void> {
    const remaining = due - performance.now()
    if (this.#options.latencyMs > 0 && remaining > 0) await delay(remaining)
    else await nextLoopTurn()
  }

  async #offer(lane: Lane, step: Bytes): Promise<void> {
    const { bytes } = step
    if (step.decided === true) return this.#forward(lane, bytes)
    if (lane.missing > 0) {
      lane.offered += bytes.length
      lane.held.push(bytes)
      lane.missing -= 1
      if (lane.missing === 0) await this.#flush(lane)
      return
    }
    const action = this.#decide(lane, step)
    lane.offered += bytes.length
    await this.#apply(lane, step, action)
  }

  #decide(lane: Lane, step: Bytes): FaultAction {
    const event: FaultEvent = {
      connection: this.#options.position(),
      direction: lane.direction,
      // A server's chunk belongs to the turn that it answers, which is the latest.
      turn: lane === this.#up ? step.turn : this.turns,
      bytes: step.bytes,
      totalUp: this.#up.offered,
      totalDown: this.#down.offered,
    }
    for (const fault of this.#options.faults()) {
      const action = fault.when(event)
      if (action !== undefined) return action
    }
    return 'pass'
  }

  async #apply(lane: Lane, step: Bytes, action: FaultAction): Promise<void> {
    const { bytes } = step
    if (action === 'pass') return this.#forward(lane, bytes)
    if (action === 'stall') return lane.hold(step)
    if ('cut' in action) return this.cut(action.cut)
    if ('replace' in action) return this.#forward(lane, Buffer.from(action.replace))
    if ('split' in action) return this.#split(lane, bytes, action.split)
    if ('merge' in action) {
      lane.held.push(bytes)
      lane.missing = action.merge - 1
      return
    }
    await this.#forward(lane, bytes.subarray(0, action.truncate))
    if (action.andThen !== 'stall') {
      await this.#beHeard()
      this.cut(action.andThen)
    } else lane.hold({ ...step, bytes: bytes.subarray(action.truncate) })
  }

  async #forward(lane: Lane, bytes: Buffer): Promise<void> {
    if (lane === this.#down && bytes.length > 0) this.#clientIsSpeaking = false
    await lane.write(bytes)
  }

  async #flush(lane: Lane): Promise<void> {
    const bytes = Buffer.concat(lane.held)
    lane.held = []
    lane.missing = 0
    await this.#forward(lane, bytes)
  }

  async #split(lane: Lane, bytes: Buffer, size: number): Promise<void> {
    for (let start = 0; start < bytes.length && !this.#isCut; start += size) {
      await this.#forward(lane, bytes.subarray(start, start + size))
      // Time for a reader in this process to see each piece alone.
      await nextLoopTurn()
    }
  }

  async #finish(lane: Lane, kind: 'fin' | 'rst'): Promise<void> {
    await this.#flush(lane)
    if (kind === 'fin') return void lane.to.end()
    await this.#beHeard()
    lane.to.resetAndDestroy()
  }

  /**
   * Time for a reader in this process to take what was written.
   *
   * Where libuv finds bytes and an RST at once, it delivers the bytes and then a clean end, so that
   * Node would not see the reset (uv__stream_io after a partial read).
   */
  async #beHeard(): Promise<void> {
    await nextLoopTurn()
    await nextLoopTurn()
  }
}

/** @see https://www.postgresql.org/docs/current/protocol-message-formats.html */
function isCancelRequest(bytes: Buffer): boolean {
  return bytes.length === 16 && bytes.readUInt32BE(4) === 80_877_102
}
