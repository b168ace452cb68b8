import { Deadline } from './deadline.ts'
import {
  authenticate,
  type Credentials,
  type Login,
  type LoginOptions,
  negotiateTls,
} from './handshake.ts'
import { closedEarly, connectTimeout } from './loss.ts'
import type { MessageReader } from './message-reader.ts'
import type { Meter } from './meter.ts'
import type { Profile } from './profile.ts'
import {
  type Address,
  type Connection,
  type TlsOptions,
  type Transport,
  TransportError,
} from './transport.ts'

/** The name by which a client asks for Postgres in its first TLS message. */
const ALPN = 'postgresql'

/** Where a session goes and over what. */
export interface Route {
  transport: Transport
  address: Address
  /** `undefined`: in clear, which the user has asked for by name. */
  tls: TlsOptions | undefined
  profile: Profile
  /** Whether clear was asked for by name, and is not just how loopback is reached. */
  allowsClear?: boolean
}

/**
 * A connection under construction: what it waits for now, and how to give it up at any time.
 */
export class Dial {
  /** What is being waited for, for the message of a timeout. */
  phase = 'the TCP connection'
  readonly startedAt: number = Date.now()
  #abort = new AbortController()
  #connection: Connection | undefined

  /** TCP, then TLS where asked for. The result is ready for the first byte of Postgres. */
  async open(route: Route, meter: Meter): Promise<Connection> {
    const { transport, address, tls, profile } = route
    if (transport.opening !== undefined) this.phase = transport.opening
    this.#connection = await transport.connect(address, {
      signal: this.#abort.signal,
      willStartTls: tls !== undefined,
      ...(tls === undefined ? {} : { tls }),
      allowsClear: route.allowsClear ?? false,
    })
    this.#throwIfGivenUp()
    meter.handshake(this.#connection.handshakes)
    if (!tls || this.#connection.isProtected) return this.#connection
    const direct = profile.directTls && transport.sendsAlpn === true
    if (!direct) {
      this.phase = 'the answer to the request for TLS'
      await negotiateTls((request) => this.#exchange(request, meter))
    }
    this.phase = 'the TLS handshake'
    this.#connection = direct
      ? await this.#connection.startTls({ ...tls, alpn: ALPN }).catch(explainDirect)
      : await this.#connection.startTls(tls)
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
  ): Promise<{ connection: Connection; login: Login }> {
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
    const login = await authenticate(channel, credentials, loginOptions(route, connection))
    this.#throwIfGivenUp()
    return { connection, login }
  }

  /** Aborts when nobody wants the connection any more. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Whether nobody wants the connection any more. */
  get isGivenUp(): boolean {
    return this.#abort.signal.aborted
  }

  /** Closes whatever is open; another attempt may follow. Never throws. */
  hangUp(): void {
    this.#connection?.destroy()
    this.#connection = undefined
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

/** What the profile allows, and what the connection's other end makes of it. */
function loginOptions({ tls, profile }: Route, connection: Connection): LoginOptions {
  const isProtected = connection.isProtected === true
  const takesPassword = isProtected && connection.takesPassword === true
  return {
    encrypted: isProtected || tls !== undefined,
    pipelines: profile.pipelinesLogin && (takesPassword ? 'password' : 'scram'),
  }
}

/** A server that has to be asked for TLS takes the handshake for garbage, and says so or hangs up. */
function explainDirect(error: unknown): never {
  const reason = error instanceof Error && 'reason' in error ? error.reason : undefined
  if (reason !== 'tls' && reason !== 'lost') throw error
  throw new TransportError('tls', 'Direct TLS was not accepted.', {
    cause: error,
    hint: "Direct TLS needs Postgres 17, PgBouncer 1.25 or Neon: remove sslnegotiation=direct from the connection string, or set the option pooler to 'supavisor', which asks for TLS first.",
  })
}

/** Rejects with `ERR_CONNECT_TIMEOUT` unless `work` settles in time; the dial is given up then. */
export async function dialWithin<T>(
  dial: Dial,
  work: Promise<T>,
  { address }: Route,
  { leftMs, connectTimeoutMs }: { leftMs: number; connectTimeoutMs: number },
): Promise<T> {
  const deadline = new Deadline()
  const expired = new Promise<never>((_, reject) => {
    deadline.start(leftMs, () => {
      reject(connectTimeout(address, connectTimeoutMs, dial.phase, false))
      dial.giveUp()
    })
  })
  try {
    return await Promise.race([work, expired])
  } finally {
    deadline.stop()
  }
}
