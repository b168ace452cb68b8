import { randomBytes } from 'node:crypto'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { attributes, hmac, saltedPassword, sha256, xor } from './scram-server.ts'
import type { Frame } from './wire-messages.ts'
import * as messages from './wire-messages.ts'

export interface Login {
  user: string
  password: string
  database: string
  parameters?: Record<string, string>
}

/** A failed login: the server's ErrorResponse, field by field. */
export class LoginError extends Error {
  override readonly name: string = 'LoginError'
  readonly fields: Record<string, string>

  constructor(fields: Record<string, string>) {
    super(`${fields.S} ${fields.C}: ${fields.M}`)
    this.fields = fields
  }
}

/**
 * A Postgres client with nothing between the test and the socket.
 *
 * One `send` is one write. One read is awaited at a time.
 */
export class WireClient {
  #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #failure: Error | undefined
  #wake: () => void = () => {}
  readonly #onData = (chunk: Buffer): void => {
    this.#received = Buffer.concat([this.#received, chunk])
    this.#wake()
  }
  readonly #onEnd = (): void => this.#fail(new Error('The server closed the connection'))
  readonly #onError = (cause: Error): void =>
    this.#fail(new Error(`The connection failed: ${cause.message}`, { cause }))

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#listen()
  }

  /** Connects without TLS. */
  static connect(address: { host: string; port: number }): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      const socket = connectTcp({ ...address, noDelay: true, allowHalfOpen: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new WireClient(socket))
      })
    })
  }

  /** Sends all parts in one write. */
  send(...parts: readonly Uint8Array[]): void {
    this.#socket.write(Buffer.concat(parts))
  }

  /** The answer to an SSLRequest, which has no frame. */
  byte(): Promise<string> {
    return this.#read(() => {
      if (this.#received.length === 0) return undefined
      const byte = this.#received.toString('latin1', 0, 1)
      this.#received = this.#received.subarray(1)
      return byte
    })
  }

  /** The next message. Rejects once the server has closed. */
  next(): Promise<Frame> {
    return this.#read(() => {
      if (this.#received.length < 5) return undefined
      const end = this.#received.readUInt32BE(1) + 1
      if (this.#received.length < end) return undefined
      const tag = this.#received.toString('latin1', 0, 1)
      const payload = this.#received.subarray(5, end)
      this.#received = this.#received.subarray(end)
      return { tag, payload }
    })
  }

  /** All messages up to and including the first with this tag. */
  async until(tag: string): Promise<Frame[]> {
    const frames: Frame[] = []
    do frames.push(await this.next())
    while (frames.at(-1)?.tag !== tag)
    return frames
  }

  /** Resolves with what is left when the server has closed or reset the connection. */
  async ended(): Promise<Frame[]> {
    const frames: Frame[] = []
    while (true) {
      try {
        frames.push(await this.next())
      } catch {
        return frames
      }
    }
  }

  /** Continues as TLS; with `ca` the server's certificate is verified for the host `localhost`. */
  async startTls(ca: string): Promise<void> {
    this.#unlisten()
    const plain = this.#socket
    this.#socket = await new Promise<Socket>((resolve, reject) => {
      const secure = connectTls({ socket: plain, ca, servername: 'localhost' })
      secure.once('error', reject)
      secure.once('secureConnect', () => {
        secure.off('error', reject)
        resolve(secure)
      })
    })
    this.#listen()
  }

  /** Start-up and SCRAM, one message per write; returns what came from R0 to Z. */
  async login(login: Login): Promise<Frame[]> {
    const { user, database, parameters } = login
    this.send(messages.startupMessage({ user, database, ...parameters }))
    await this.#authentication(10)
    const exchange = new ScramExchange(login.password)
    this.send(messages.saslInitialResponse('SCRAM-SHA-256', exchange.first))
    const serverFirst = await this.#authentication(11)
    this.send(messages.saslResponse(exchange.final(serverFirst.toString())))
    const serverFinal = await this.#authentication(12)
    exchange.verify(serverFinal.toString())
    const frames: Frame[] = []
    do frames.push(await this.#accepted())
    while (frames.at(-1)?.tag !== 'Z')
    return frames
  }

  /** Hands over the socket, with nothing read ahead. */
  detach(): Socket {
    if (this.#received.length > 0) throw new Error('There are bytes that nobody has read')
    this.#unlisten()
    return this.#socket
  }

  /** FIN. */
  end(): void {
    this.#socket.end()
  }

  /** RST. */
  reset(): void {
    this.#socket.resetAndDestroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  async #authentication(code: number): Promise<Buffer> {
    const { tag, payload } = await this.#accepted()
    if (tag !== 'R' || payload.readUInt32BE(0) !== code) {
      throw new Error(`Expected authentication request ${code}, got ${tag} ${payload.toString()}`)
    }
    return payload.subarray(4)
  }

  async #accepted(): Promise<Frame> {
    const frame = await this.next()
    if (frame.tag === 'E') throw new LoginError(messages.errorFields(frame.payload))
    return frame
  }

  async #read<T>(take: () => T | undefined): Promise<T> {
    while (true) {
      const taken = take()
      if (taken !== undefined) return taken
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }

  #listen(): void {
    this.#socket.on('data', this.#onData)
    this.#socket.on('end', this.#onEnd)
    this.#socket.on('close', this.#onEnd)
    this.#socket.on('error', this.#onError)
  }

  #unlisten(): void {
    this.#socket.off('data', this.#onData)
    this.#socket.off('end', this.#onEnd)
    this.#socket.off('close', this.#onEnd)
    this.#socket.off('error', this.#onError)
  }
}

/** The client's side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677), message by message. */
export class ScramExchange {
  readonly first: string
  readonly #password: string
  readonly #nonce = randomBytes(18).toString('base64')
  #serverSignature = ''

  constructor(password: string) {
    this.#password = password
    this.first = `n,,n=,r=${this.#nonce}`
  }

  /** The client-final message that answers this server-first message. */
  final(serverFirst: string): string {
    const { r: nonce = '', s: salt = '', i: iterations } = attributes(serverFirst)
    if (!nonce.startsWith(this.#nonce)) throw new Error('The server changed the nonce')
    const salted = saltedPassword(this.#password, Buffer.from(salt, 'base64'), Number(iterations))
    const withoutProof = `c=biws,r=${nonce}`
    const authMessage = `${this.first.slice(3)},${serverFirst},${withoutProof}`
    const clientKey = hmac(salted, 'Client Key')
    const proof = xor(clientKey, hmac(sha256(clientKey), authMessage)).toString('base64')
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), authMessage).toString('base64')
    return `${withoutProof},p=${proof}`
  }

  /** Throws unless the server knows the password too. */
  verify(serverFinal: string): void {
    if (serverFinal !== `v=${this.#serverSignature}`) throw new Error('Wrong server signature')
  }
}
