import { connect, type Socket } from 'node:net'
import { errorMessage, PoolerError, poolerErrors } from './strict-pooler-startup.ts'
import { LoginError, WireClient } from './wire-client.ts'
import { cancelRequest, type Frame, FrameTracker, message, terminate } from './wire-messages.ts'

/** How the model logs in to the real server. */
export interface BackendLogin {
  host: string
  port: number
  user: string
  password: string
  database: string
}

/** The client that has the backend for now. */
export interface BackendHolder {
  /** The backend is in the pool again; comes before the bytes that caused it. */
  released(): void
  /** A piece of the reply; `ready` if it ends with a ReadyForQuery. */
  deliver(bytes: Buffer, ready: boolean): void
  backendLost(): void
}

/** What the pool tells the pooler. */
export interface PoolEvents {
  violation(text: string): void
  destroyed(): void
}

const READY_IDLE = message('Z', Buffer.from('I'))

/** A connection to the real server. */
export class Backend {
  holder: BackendHolder | undefined
  readonly parameterStatus: readonly Buffer[]
  readonly #socket: Socket
  readonly #login: BackendLogin
  readonly #key: Buffer
  readonly #frames = new FrameTracker()
  readonly #pool: Pool
  /** ReadyForQuery messages that are still to come, and those of them owed to earlier holders. */
  #owed = 0
  #stale = 0

  constructor(pool: Pool, login: BackendLogin, socket: Socket, greeting: readonly Frame[]) {
    this.#pool = pool
    this.#login = login
    this.#socket = socket
    const parameters = greeting.filter(({ tag }) => tag === 'S')
    this.parameterStatus = parameters.map(({ payload }) => message('S', payload))
    this.#key = greeting.find(({ tag }) => tag === 'K')?.payload ?? Buffer.alloc(8)
    socket.on('data', (chunk) => this.#read(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('end', () => this.#lost())
    socket.on('close', () => this.#lost())
  }

  /** Forwards as it is; `replies` ReadyForQuery messages will answer it. */
  send(bytes: Buffer, replies: number): void {
    this.#owed += replies
    this.#socket.write(bytes)
  }

  /** Asks the server to cancel, on a plaintext connection (sv:client_handler/cancel.ex:46-60). */
  cancel(): void {
    const { host, port } = this.#login
    const socket = connect({ host, port })
    socket.on('error', () => {})
    socket.end(cancelRequest(this.#key.readUInt32BE(0), this.#key.readUInt32BE(4)))
  }

  /** Terminate, then close; the server finishes its statement (sv:db_handler.ex:699-709). */
  terminate(): void {
    this.holder = undefined
    this.#socket.end(terminate)
    this.#lost()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /**
   * Postgres flushes at every ReadyForQuery, so a delivery can end there. The model lets each one
   * end there: what Supavisor loses on some days is lost here every time.
   */
  #read(chunk: Buffer): void {
    let start = 0
    for (const { tag, end } of this.#frames.push(chunk)) {
      if (tag !== 'Z') continue
      this.#handle(chunk.subarray(start, end), true)
      start = end
    }
    if (start < chunk.length) this.#handle(chunk.subarray(start), false)
  }

  #handle(piece: Buffer, ready: boolean): void {
    const { holder } = this
    if (this.#stale > 0) {
      const fate = holder === undefined ? 'dropped' : 'given to the next client'
      this.#pool.events.violation(
        `${piece.length} bytes of a reply came after the release: ${fate}`,
      )
      if (ready) this.#stale -= 1
    }
    if (ready) this.#owed = Math.max(0, this.#owed - 1)
    // In state idle a DbHandler ignores what the server says ("Got db response when idle").
    if (holder === undefined) return
    // `String.ends_with?(bin, <<Z, 5::32, I>>)`, v2.9.10 db_handler.ex:410: on the bytes of the
    // delivery, without a look at what is still owed.
    const released = piece.subarray(-READY_IDLE.length).equals(READY_IDLE)
    if (released) {
      this.holder = undefined
      this.#stale = this.#owed
      if (this.#stale > 0) {
        this.#pool.events.violation(`released with ${this.#stale} more replies to come`)
      }
      holder.released()
    }
    holder.deliver(piece, ready)
    if (released) this.#pool.checkin(this)
  }

  #lost(): void {
    const { holder } = this
    this.holder = undefined
    this.#pool.remove(this)
    holder?.backendLost()
  }
}

interface Waiting {
  resolve: (backend: Backend) => void
  reject: (error: Error) => void
}

/** The backends of one role and database: first come, first served, and no reset in between. */
export class Pool {
  readonly events: PoolEvents
  /** Clients that are past authentication. */
  clients = 0
  readonly #login: BackendLogin
  readonly #size: number
  readonly #backends = new Set<Backend>()
  readonly #idle: Backend[] = []
  readonly #waiting: Waiting[] = []
  #connecting = 0
  #stopped = false

  constructor(login: BackendLogin, size: number, events: PoolEvents) {
    this.#login = login
    this.#size = size
    this.events = events
  }

  /** What a new client is greeted with; starts the pool. */
  async parameterStatus(): Promise<readonly Buffer[]> {
    const [known] = this.#backends
    if (known !== undefined) return known.parameterStatus
    const backend = await this.checkout(undefined)
    this.checkin(backend)
    return backend.parameterStatus
  }

  /** A backend, when one is free. */
  checkout(timeoutMs: number | undefined): Promise<Backend> {
    const idle = this.#idle.pop()
    if (idle !== undefined) return Promise.resolve(idle)
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { resolve, reject }
      this.#waiting.push(waiting)
      if (timeoutMs !== undefined) this.#limit(waiting, timeoutMs)
      this.#grow()
    })
  }

  checkin(backend: Backend): void {
    if (!this.#backends.has(backend)) return
    const next = this.#waiting.shift()
    if (next === undefined) this.#idle.push(backend)
    else next.resolve(backend)
  }

  remove(backend: Backend): void {
    if (!this.#backends.delete(backend)) return
    const position = this.#idle.indexOf(backend)
    if (position >= 0) this.#idle.splice(position, 1)
    if (this.#stopped) return
    this.events.destroyed()
    this.#grow()
  }

  stop(): void {
    this.#stopped = true
    for (const backend of this.#backends) backend.destroy()
  }

  #limit(waiting: Waiting, timeoutMs: number): void {
    const timer = setTimeout(() => {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
      waiting.reject(poolerErrors.checkoutTimeout(timeoutMs))
    }, timeoutMs)
    const { resolve, reject } = waiting
    waiting.resolve = (backend) => {
      clearTimeout(timer)
      resolve(backend)
    }
    waiting.reject = (error) => {
      clearTimeout(timer)
      reject(error)
    }
  }

  #grow(): void {
    const missing = this.#waiting.length - this.#connecting
    const free = this.#size - this.#backends.size - this.#connecting
    for (let count = Math.min(missing, free); count > 0; count -= 1) void this.#connect()
  }

  async #connect(): Promise<void> {
    this.#connecting += 1
    try {
      const backend = await this.#open()
      this.#connecting -= 1
      if (this.#stopped) return backend.destroy()
      this.#backends.add(backend)
      this.checkin(backend)
    } catch (error) {
      this.#connecting -= 1
      this.#waiting.shift()?.reject(refusal(error))
    }
  }

  async #open(): Promise<Backend> {
    const client = await WireClient.connect(this.#login)
    try {
      // In transaction mode the server sees this name, never the client's (sv:db_handler.ex:205-210).
      const login = { ...this.#login, parameters: { application_name: 'Supavisor' } }
      const greeting = await client.login(login)
      return new Backend(this, this.#login, client.detach(), greeting)
    } catch (error) {
      client.destroy()
      throw error
    }
  }
}

/** The server's own error where there is one (`CheckoutError`), else that it cannot be reached. */
class BackendRefusal extends PoolerError {
  readonly #fields: Record<string, string>

  constructor(fields: Record<string, string>) {
    super(fields.M ?? '')
    this.#fields = fields
  }

  override toMessage(): Buffer {
    return errorMessage(this.#fields)
  }
}

function refusal(error: unknown): PoolerError {
  if (error instanceof LoginError) return new BackendRefusal(error.fields)
  return poolerErrors.databaseUnreachable(error instanceof Error ? error.message : String(error))
}
