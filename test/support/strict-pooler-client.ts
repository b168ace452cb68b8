import { randomInt } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Backend, BackendHolder, Pool } from './strict-pooler-backend.ts'
import { Handshake, type PoolerOfHandshakes } from './strict-pooler-handshake.ts'
import type { StrictPoolerStats } from './strict-pooler-options.ts'
import { ClientSocket } from './strict-pooler-socket.ts'
import { PoolerError, poolerErrors } from './strict-pooler-startup.ts'
import { FrameTracker, message, sync, terminate } from './wire-messages.ts'

/** What a client needs of the pooler around it. */
export interface PoolerOfClients extends PoolerOfHandshakes {
  readonly stats: StrictPoolerStats
  /** Finds the client with this key and lets it cancel. */
  cancel(key: string): void
  changed(): void
}

interface Delivery {
  bytes: Buffer
  /** Messages that end in it and are answered by a ReadyForQuery. */
  replies: number
}

const READY = message('Z', Buffer.from('I'))
/** <<16::32, 1234::16, 5678::16>> */
const CANCEL_HEADER = Buffer.from([0, 0, 0, 16, 4, 210, 22, 46])

/**
 * One client: sv:client_handler.ex in transaction mode.
 *
 * Like a `gen_statem` it handles one event of its mailbox at a time, and none while it is blocked.
 */
export class PoolerClient implements BackendHolder {
  /** Process id and secret key as this client knows them; empty before the greeting. */
  key = ''
  readonly #pooler: PoolerOfClients
  readonly #name: string
  readonly #socket: ClientSocket
  readonly #handshake: Handshake
  readonly #onStopped: () => void
  #state: 'handshake' | 'connecting' | 'idle' | 'busy' | 'stopped' = 'handshake'
  readonly #mailbox: (Delivery | 'closed')[] = []
  #isBlocked = false
  #postponed: Delivery[] = []
  #subscribed: Pool | undefined
  #backend: Backend | undefined
  readonly #frames = new FrameTracker()
  #outstanding = 0

  constructor(pooler: PoolerOfClients, socket: Socket, name: string, onStopped: () => void) {
    this.#pooler = pooler
    this.#name = name
    this.#onStopped = onStopped
    this.#socket = new ClientSocket(socket, {
      delivery: (bytes) => this.#receive({ bytes, replies: this.#countReplies(bytes) }),
      closed: () => this.#receive('closed'),
    })
    this.#handshake = new Handshake(pooler, this.#socket, {
      violation: (text) => this.#violation(text),
      timedOut: () => this.#fail(poolerErrors.authTimeout()),
    })
  }

  /** `maybe_forward_cancel_to_db`: only in state busy. */
  cancel(): void {
    if (this.#state !== 'busy') return
    this.#backend?.cancel()
    this.#pooler.stats.cancels += 1
  }

  /** The ParameterStatus that comes unasked every 60 s (sv:tenants/tenant.ex:32), now. */
  heartbeat(): void {
    const parameter = Buffer.from('application_name\0Supavisor\0')
    if (this.#state === 'idle') this.#socket.send(message('S', parameter))
  }

  /** Ends without a word, whatever goes on. */
  destroy(): void {
    this.#stop()
    this.#socket.destroy()
  }

  released(): void {
    this.#state = 'idle'
    this.#giveUpBackend()
  }

  deliver(bytes: Buffer, ready: boolean): void {
    if (ready) this.#outstanding = Math.max(0, this.#outstanding - 1)
    this.#socket.send(bytes)
    this.#pooler.changed()
  }

  /** `{:shutdown, :db_termination}` has no message; a FATAL was forwarded as any other reply. */
  backendLost(): void {
    this.#giveUpBackend()
    this.#stop()
  }

  #receive(event: Delivery | 'closed'): void {
    this.#mailbox.push(event)
    this.#pump()
    this.#pooler.changed()
  }

  #pump(): void {
    while (!this.#isBlocked && this.#state !== 'stopped') {
      const event = this.#mailbox.shift()
      if (event === undefined) return
      try {
        if (event === 'closed') this.#stop()
        else this.#handle(event)
      } catch (error) {
        this.#fail(error)
      }
    }
  }

  #handle(delivery: Delivery): void {
    const { bytes } = delivery
    if (bytes.length === 16 && bytes.subarray(0, 8).equals(CANCEL_HEADER)) {
      this.#pooler.cancel(bytes.toString('hex', 8))
      return this.#stop()
    }
    if (this.#state === 'handshake') return this.#shakeHands(bytes)
    // An X in a delivery of its own ends the client in any later state (666-670).
    if (bytes.equals(terminate)) return this.#stop()
    if (this.#state === 'idle') return this.#checkout(delivery)
    if (this.#state === 'busy') return this.#backend?.send(bytes, delivery.replies)
    // Connecting: `{:keep_state_and_data, :postpone}` (725-727).
    this.#postponed.push(delivery)
    this.#pooler.stats.postponed += 1
  }

  #shakeHands(bytes: Buffer): void {
    const outcome = this.#handshake.step(bytes)
    if (outcome instanceof Promise) return this.#block(outcome)
    if (outcome === 'closed') return this.#stop()
    if (outcome === 'more' || this.#handshake.pool === undefined) return
    this.#state = 'connecting'
    this.#subscribe(this.#handshake.pool).catch((error: unknown) => this.#fail(error))
  }

  async #subscribe(pool: Pool): Promise<void> {
    const { settings, stats } = this.#pooler
    this.#handshake.checkClientLimit(pool)
    pool.clients += 1
    this.#subscribed = pool
    await settings.beforeGreeting?.()
    const parameters = await pool.parameterStatus()
    if (this.#state !== 'connecting') return
    const key = Buffer.alloc(8)
    key.writeUInt32BE(randomInt(1, 2 ** 31), 0)
    key.writeUInt32BE(randomInt(0, 2 ** 32), 4)
    this.key = key.toString('hex')
    this.#socket.send(Buffer.concat([...parameters, message('K', key), READY]))
    stats.logins += 1
    this.#state = 'idle'
    this.#mailbox.unshift(...this.#postponed.splice(0))
    this.#pump()
    this.#pooler.changed()
  }

  #checkout(delivery: Delivery): void {
    const { bytes, replies } = delivery
    // A leading Sync is answered here, and `_::binary` forgets the rest (673-689).
    if (bytes.subarray(0, sync.length).equals(sync)) {
      const dropped = bytes.length - sync.length
      if (dropped > 0) this.#violation(`${dropped} bytes after a leading Sync dropped`)
      return this.deliver(READY, true)
    }
    // The process waits in `:poolboy.checkout`: it sees neither more bytes nor the end (701-711).
    this.#block(this.#borrow(bytes, replies))
  }

  async #borrow(bytes: Buffer, replies: number): Promise<void> {
    const pool = this.#subscribed
    const backend = await pool?.checkout(this.#pooler.settings.checkoutTimeoutMs)
    if (backend === undefined) return
    if (this.#state === 'stopped') return pool?.checkin(backend)
    this.#state = 'busy'
    this.#backend = backend
    this.#pooler.stats.busy += 1
    backend.holder = this
    backend.send(bytes, replies)
  }

  #block(work: Promise<unknown>): void {
    this.#isBlocked = true
    const done = (): void => {
      this.#isBlocked = false
      this.#pump()
      this.#pooler.changed()
    }
    work.then(done, (error: unknown) => this.#fail(error))
  }

  #countReplies(bytes: Buffer): number {
    if (this.#state === 'handshake' || this.#state === 'stopped') return 0
    const { stats } = this.#pooler
    const tags = this.#frames.push(bytes).map(({ tag }) => tag)
    const replies = tags.filter((tag) => tag === 'Q' || tag === 'S' || tag === 'F').length
    stats.functionCalls += tags.filter((tag) => tag === 'F').length
    this.#outstanding += replies
    stats.maxOutstanding = Math.max(stats.maxOutstanding, this.#outstanding)
    if (replies > 0 && this.#outstanding > 1) {
      this.#violation(`${this.#outstanding} ReadyForQuery awaited at once`)
    }
    return replies
  }

  #violation(text: string): void {
    this.#pooler.stats.violations.push(`${this.#name}: ${text}`)
  }

  #fail(error: unknown): void {
    if (this.#state === 'stopped') return
    if (!(error instanceof PoolerError)) throw error
    if (this.#state === 'handshake' && this.#handshake.isAuthenticating) {
      this.#pooler.authFailures += 1
    }
    this.#isBlocked = true
    this.#handshake.end()
    const { errorDelayMs } = this.#pooler.settings
    const say = (): void => this.#stop(error.toMessage())
    if (error.delayed && errorDelayMs > 0) void delay(errorDelayMs).then(say)
    else say()
  }

  #stop(lastWord?: Buffer): void {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#handshake.end()
    if (this.#subscribed !== undefined) this.#subscribed.clients -= 1
    // The linked DbHandler gets the EXIT: the backend is not given back (699-709).
    this.#giveUpBackend()?.terminate()
    this.#socket.close(lastWord)
    this.#onStopped()
    this.#pooler.changed()
  }

  #giveUpBackend(): Backend | undefined {
    const backend = this.#backend
    if (backend !== undefined) this.#pooler.stats.busy -= 1
    this.#backend = undefined
    return backend
  }
}
