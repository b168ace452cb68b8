import type { Socket } from 'node:net'
import { setImmediate as nextLoopTurn } from 'node:timers/promises'
import { type SecureContext, TLSSocket } from 'node:tls'

export interface SocketEvents {
  /** What Supavisor's process gets as one `{tcp | ssl, _, bin}` message. */
  delivery(bytes: Buffer): void
  /** FIN or RST from the client; once. */
  closed(): void
}

/** A client's socket as a source of deliveries. */
export class ClientSocket {
  readonly #events: SocketEvents
  #socket: Socket
  #joined: Buffer[] = []
  #isClosed = false
  #isDiscarding = false
  readonly #onData = (bytes: Buffer): void => this.#deliver(bytes)

  constructor(socket: Socket, events: SocketEvents) {
    this.#events = events
    this.#socket = socket
    this.#listen(socket)
    socket.on('data', this.#onData)
  }

  get isTls(): boolean {
    return this.#socket instanceof TLSSocket
  }

  send(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes)
  }

  /**
   * Answers `S` and continues as TLS. Resolves with the bytes that came before the answer.
   *
   * Those sit in the process's mailbox while `:ssl.handshake` waits for them on the socket, without
   * a timeout (sv:client_handler.ex:159,169). Here they are lost, which comes to the same.
   */
  async startTls(secureContext: SecureContext): Promise<number> {
    const plain = this.#socket
    let early = 0
    const lose = (bytes: Buffer): void => {
      early += bytes.length
    }
    plain.off('data', this.#onData)
    plain.on('data', lose)
    // Two turns with a poll for events between them: what the kernel holds by now is seen, so that
    // whoever does not wait for the answer loses the race.
    await nextLoopTurn()
    await nextLoopTurn()
    plain.off('data', lose)
    plain.pause()
    plain.write('S')
    const secure = new TLSSocket(plain, { isServer: true, secureContext })
    this.#socket = secure
    this.#listen(secure)
    secure.on('data', (bytes) => this.#join(bytes))
    return early
  }

  /** Says a last word, if any, and closes. What the client still sends is read and dropped. */
  close(lastWord?: Uint8Array): void {
    this.#isDiscarding = true
    if (lastWord !== undefined) this.send(lastWord)
    this.#socket.end()
  }

  destroy(): void {
    this.#isDiscarding = true
    this.#socket.destroy()
  }

  #listen(socket: Socket): void {
    socket.on('end', () => this.#end())
    socket.on('close', () => this.#end())
    socket.on('error', () => this.#end())
  }

  /**
   * Node gives one event for each TLS record; OTP concatenates the application-data records that it
   * decodes together (erlang/otp tls_gen_connection.erl, `next_record/5`). So records that were read in
   * one turn of the event loop are one delivery.
   */
  #join(bytes: Buffer): void {
    this.#joined.push(bytes)
    if (this.#joined.length === 1) setImmediate(() => this.#deliverJoined())
  }

  #deliverJoined(): void {
    if (this.#joined.length === 0) return
    const bytes = Buffer.concat(this.#joined)
    this.#joined = []
    this.#deliver(bytes)
  }

  #deliver(bytes: Buffer): void {
    if (!this.#isDiscarding) this.#events.delivery(bytes)
  }

  #end(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#deliverJoined()
    this.#events.closed()
  }
}
