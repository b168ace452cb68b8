import { Deadline } from './deadline.ts'
import { authenticate, type Credentials, negotiateTls } from './handshake.ts'
import { closedEarly, connectTimeout } from './loss.ts'
import type { MessageReader } from './messages.ts'
import type { Meter } from './meter.ts'
import type { Address, Connection, TlsOptions, Transport } from './transport.ts'

/** Where a session goes and over what. */
export interface Route {
  transport: Transport
  address: Address
  /** `undefined`: in clear, which the user has asked for by name. */
  tls: TlsOptions | undefined
}

/**
 * A connection under construction: what it waits for now, and how to give it up at any time.
 */
export class Dial {
  /** What is being waited for, for the message of a timeout. */
  phase = 'the TCP connection'
  #abort = new AbortController()
  #connection: Connection | undefined

  /** TCP, then TLS where asked for. The result is ready for the first byte of Postgres. */
  async open({ transport, address, tls }: Route, meter: Meter): Promise<Connection> {
    this.#connection = await transport.connect(address, {
      signal: this.#abort.signal,
      willStartTls: tls !== undefined,
    })
    this.#throwIfGivenUp()
    meter.handshake()
    if (!tls) return this.#connection
    this.phase = 'the answer to the request for TLS'
    await negotiateTls((request) => this.#exchange(request, meter))
    this.phase = 'the TLS handshake'
    this.#connection = await this.#connection.startTls(tls)
    this.#throwIfGivenUp()
    meter.handshake()
    return this.#connection
  }

  /** Connects and logs in, as far as needed for a first flight to leave. */
  async logIn(
    route: Route,
    credentials: Credentials,
    reader: MessageReader,
    meter: Meter,
  ): Promise<Connection> {
    const connection = await this.open(route, meter)
    this.phase = 'the login'
    const channel = {
      async write(bytes: Uint8Array) {
        meter.sent(bytes.length)
        await connection.write(bytes)
      },
      async next() {
        for (;;) {
          const message = reader.next()
          if (message) return message
          const chunk = await connection.read()
          if (!chunk) throw closedEarly(false)
          meter.received(chunk.length)
          reader.push(chunk)
        }
      },
    }
    await authenticate(channel, credentials, route.tls !== undefined)
    this.#throwIfGivenUp()
    return connection
  }

  /** Closes whatever is open. Never throws. */
  giveUp(): void {
    this.#abort.abort()
    this.#connection?.destroy()
  }

  async #exchange(request: Uint8Array, meter: Meter): Promise<Uint8Array> {
    meter.sent(request.length)
    await this.#connection?.write(request)
    const answer = await this.#connection?.read()
    if (!answer) throw closedEarly(false)
    meter.received(answer.length)
    return answer
  }

  #throwIfGivenUp(): void {
    if (!this.#abort.signal.aborted) return
    this.#connection?.destroy()
    throw closedEarly(false)
  }
}

/** Rejects with `ERR_CONNECT_TIMEOUT` unless `work` settles in time; the dial is given up then. */
export async function dialWithin<T>(
  dial: Dial,
  work: Promise<T>,
  { address }: Route,
  timeoutMs: number,
): Promise<T> {
  const deadline = new Deadline()
  const expired = new Promise<never>((_, reject) => {
    deadline.start(timeoutMs, () => {
      reject(connectTimeout(address, timeoutMs, dial.phase, false))
      dial.giveUp()
    })
  })
  try {
    return await Promise.race([work, expired])
  } finally {
    deadline.stop()
  }
}
