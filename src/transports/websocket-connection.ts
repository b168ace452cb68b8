import { type Connection, TransportError } from '../wire/transport.ts'
import type { Way } from './websocket-address.ts'

/** Bytes of one frame: gateways and platforms limit messages, and what is sent cannot be stopped. */
const FRAME = 65_536
/** Bytes that the runtime may hold back before a write waits. */
const WRITE_AHEAD = 1_048_576
/** Bytes that may wait to be read. */
const READ_AHEAD = 16_777_216
/** There is no event for a buffer that empties: it is looked at, the longer it takes the more seldom. */
const LOOK_AGAIN_MS = { first: 1, last: 32 } as const

/** Ends that say nothing is wrong: normal, going away, and none given (RFC 6455 §7.4.1). */
const PEACEFUL: ReadonlySet<number> = new Set([1000, 1001, 1005])

/** A WebSocket as a stream of bytes: where one message ends and the next begins means nothing. */
export class WebSocketConnection implements Connection {
  readonly isProtected: boolean
  readonly takesPassword: boolean
  readonly handshakes: number
  #socket: WebSocket
  #chunks: Uint8Array[] = []
  #buffered = 0
  /** Whether anything has come in. */
  #heard = false
  #failure: TransportError | undefined
  #ended = false
  #wake: (() => void) | undefined
  #finish: () => void = () => undefined
  #finished: Promise<void>
  #closed: Promise<void>

  constructor(socket: WebSocket, { isProtected, takesPassword, handshakes }: Way) {
    this.isProtected = isProtected
    this.takesPassword = takesPassword
    this.handshakes = handshakes
    this.#socket = socket
    this.#finished = new Promise((resolve) => {
      this.#finish = () => {
        this.#ended = true
        this.#wake?.()
        resolve()
      }
    })
    socket.binaryType = 'arraybuffer'
    socket.addEventListener('message', (event) => this.#receive(event.data))
    this.#closed = new Promise((resolve) => {
      socket.addEventListener('close', ({ code, reason }) => {
        this.#end(code, reason)
        resolve()
      })
    })
    // Always followed by 'close'; unheard it would be reported as an error of the process.
    socket.addEventListener('error', () => undefined)
  }

  /** Resolves when bytes can be sent; rejects when the WebSocket does not open, and when given up. */
  async opened(signal: AbortSignal): Promise<void> {
    const giveUp = (): void => this.destroy()
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      if (signal.aborted) giveUp()
      const open = new Promise<void>((resolve) => {
        this.#socket.addEventListener('open', () => resolve(), { once: true })
      })
      await Promise.race([open, this.#finished])
      if (!this.#hasLastWords) this.#throwIfOver()
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk) {
        this.#buffered -= chunk.length
        return chunk
      }
      if (this.#failure) throw this.#failure
      if (this.#ended) return undefined
      await this.#woken()
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += FRAME) {
      if (this.#hasLastWords) return
      this.#throwIfOver()
      this.#socket.send(bytes.subarray(at, at + FRAME) as Uint8Array<ArrayBuffer>)
      await this.#drained()
    }
  }

  async startTls(): Promise<Connection> {
    throw new TransportError('unsupported', 'No TLS can be started inside of a WebSocket.', {
      hint: 'Use wss:// and leave tls out.',
    })
  }

  /** What is still to be sent goes first. */
  async close(): Promise<void> {
    this.#closeSocket()
    await this.#closed
  }

  destroy(): void {
    this.#chunks = []
    this.#failure ??= new TransportError('lost', 'The connection was given up.')
    this.#finish()
    this.#closeSocket()
  }

  #receive(data: unknown): void {
    // Of another realm, perhaps, where instanceof says no.
    if (typeof data === 'string' || Object.prototype.toString.call(data) !== '[object ArrayBuffer]')
      return this.#fail(
        new TransportError('gateway', 'The gateway sent something that is no bytes.'),
      )
    const chunk = new Uint8Array(data as ArrayBuffer)
    if (chunk.length === 0 || this.#failure) return
    this.#heard = true
    this.#chunks.push(chunk)
    this.#buffered += chunk.length
    if (this.#wake) return this.#wake()
    if (this.#buffered <= READ_AHEAD) return
    const words = `${this.#buffered} bytes were waiting to be read.`
    this.#fail(new TransportError('overrun', words))
  }

  #fail(failure: TransportError): void {
    this.#failure ??= failure
    this.#chunks = []
    this.#finish()
    this.#closeSocket()
  }

  #end(code: number, reason: string): void {
    if (!PEACEFUL.has(code) || !this.#heard) this.#failure ??= closing(code, reason, this.#heard)
    this.#finish()
  }

  /** Resolves with the next thing that happens to whoever reads. */
  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined
        resolve()
      }
    })
  }

  /** Whether the other side has gone and has said something that is not read yet: why, most likely. */
  get #hasLastWords(): boolean {
    return this.#ended && this.#chunks.length > 0
  }

  async #drained(): Promise<void> {
    let wait: number = LOOK_AGAIN_MS.first
    while (!this.#hasLastWords && this.#socket.bufferedAmount > WRITE_AHEAD) {
      this.#throwIfOver()
      await new Promise((resolve) => setTimeout(resolve, wait))
      wait = Math.min(wait * 2, LOOK_AGAIN_MS.last)
    }
  }

  #throwIfOver(): void {
    if (!this.#ended) return
    throw this.#failure ?? new TransportError('lost', 'The WebSocket has been closed.')
  }

  #closeSocket(): void {
    try {
      this.#socket.close(1000)
    } catch {
      // It has never been one.
    }
  }
}

/** The words are the gateway's; the platform itself says no more than 1006. */
function closing(code: number, reason: string, heard: boolean): TransportError {
  const words = reason.replace(/[^\x20-\x7e]/g, '').slice(0, 123)
  const said = words === '' ? '' : `: ${words}`
  const message = `The WebSocket was closed with code ${code}${said}.`
  if (heard) return new TransportError('lost', message, code === 1006 ? {} : { hint: message })
  return new TransportError('gateway', message, {
    hint: `${message} Check the address of the gateway, its token, whether it lets this target through, and whether the target answers.`,
  })
}
