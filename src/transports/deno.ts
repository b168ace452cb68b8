import {
  type Address,
  type Connection,
  type ConnectOptions,
  type TlsOptions,
  type Transport,
  TransportError,
  type TransportFailureReason,
} from '../wire/transport.ts'
import { CERTIFICATE_HINTS } from './certificate-hints.ts'
import { authorityOf } from './supabase-authority.ts'

/** Bytes that one read may bring. */
const CHUNK = 65_536
/** What is left of a chunk is read into as long as it is worth a call. */
const WORTH_READING = 4_096

/**
 * TCP and TLS of Deno. Certificates are verified against Deno's roots, to which `tls.ca` and, for
 * Supabase's hosts, Supabase's own root are added.
 *
 * @see https://docs.deno.com/api/deno/~/Deno.startTls
 */
export const transport: Transport = {
  name: 'Deno.connect',
  sendsAlpn: true,
  async connect(address: Address, { signal }: ConnectOptions): Promise<Connection> {
    const { host: hostname, port } = address
    const opening = attempt(() => Deno.connect({ hostname, port }), connectReason)
    // A socket that comes all the same is nobody's.
    const abandon = (): void =>
      void opening.then(
        (late) => late.close(),
        () => undefined,
      )
    const socket = await unlessGivenUp(opening, signal, abandon)
    socket.setNoDelay(true)
    return new DenoConnection(socket, address, signal)
  },
}

class DenoConnection implements Connection {
  #socket: Deno.Conn
  #address: Address
  #signal: AbortSignal
  #chunk: Uint8Array<ArrayBuffer> = new Uint8Array(0)
  #reading: Promise<Uint8Array | undefined> | undefined
  #closed = false

  constructor(socket: Deno.Conn, address: Address, signal: AbortSignal) {
    this.#socket = socket
    this.#address = address
    this.#signal = signal
  }

  read(): Promise<Uint8Array | undefined> {
    // close() reads on where a read is under way.
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #read(): Promise<Uint8Array | undefined> {
    if (this.#chunk.length < WORTH_READING) this.#chunk = new Uint8Array(CHUNK)
    const count = await attempt(() => this.#socket.read(this.#chunk), lostReason)
    if (count === null) return undefined
    const bytes = this.#chunk.subarray(0, count)
    this.#chunk = this.#chunk.subarray(count)
    return bytes
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      at += await attempt(() => this.#socket.write(bytes.subarray(at)), lostReason)
    }
  }

  async startTls({ serverName, ca, alpn }: TlsOptions): Promise<Connection> {
    const hostname = serverName ?? this.#address.host
    const authority = ca ?? authorityOf(hostname)
    const secure = await attempt(
      () =>
        Deno.startTls(this.#socket as Deno.TcpConn, {
          hostname,
          ...(authority === undefined ? {} : { caCerts: [authority] }),
          ...(alpn === undefined ? {} : { alpnProtocols: [alpn] }),
        }),
      tlsReason,
    )
    const shaking = attempt(() => secure.handshake(), tlsReason)
    const { alpnProtocol } = await unlessGivenUp(shaking, this.#signal, () => secure.close())
    if (alpn !== undefined && alpnProtocol !== alpn) {
      secure.close()
      // Anything with a certificate could answer that has not agreed; libpq refuses it too.
      throw new TransportError('tls', `The server did not agree to ${alpn} in TLS.`)
    }
    return new DenoConnection(secure, this.#address, this.#signal)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    try {
      await this.#socket.closeWrite()
      // What is unread would make the goodbye a reset.
      while (await this.read());
    } catch {
      // The server was faster.
    }
    this.destroy()
  }

  destroy(): void {
    if (this.#closed) return
    this.#closed = true
    try {
      this.#socket.close()
    } catch {
      // It has been closed.
    }
  }
}

async function attempt<T>(
  work: () => Promise<T>,
  toReason: (error: unknown) => TransportFailureReason,
): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw failure(cause, toReason(cause))
  }
}

function failure(cause: unknown, reason: TransportFailureReason): TransportError {
  const message = messageOf(cause)
  const hint = hintFor(reason, message)
  return new TransportError(reason, message, { cause, ...(hint ? { hint } : {}) })
}

/** Rejects when given up, with `abandon` called. */
function unlessGivenUp<T>(
  attempted: Promise<T>,
  signal: AbortSignal,
  abandon: () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      reject(new TransportError('lost', 'The attempt was given up.'))
      abandon()
    }
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    attempted.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

function connectReason(error: unknown): TransportFailureReason {
  const name = nameOf(error)
  const message = messageOf(error)
  if (name === 'ConnectionRefused') return 'refused'
  if (name === 'NotCapable' || name === 'PermissionDenied') return 'unsupported'
  if (/lookup address|name resolution|not known/i.test(message)) return 'name'
  if (/^(TimedOut|AddrNotAvailable|NetworkUnreachable|HostUnreachable)$/.test(name)) {
    return 'unreachable'
  }
  return /unreachable|no route|os error (99|101|110|113)\b/i.test(message) ? 'unreachable' : 'lost'
}

function lostReason(): TransportFailureReason {
  return 'lost'
}

/** rustls names what it does not trust; the rest of a handshake can be anything. */
function tlsReason(error: unknown): TransportFailureReason {
  if (/invalid peer certificate/i.test(messageOf(error))) return 'tls-untrusted'
  const isLost = /^(ConnectionReset|BrokenPipe|UnexpectedEof|ConnectionAborted|BadResource)$/
  return isLost.test(nameOf(error)) ? 'lost' : 'tls'
}

function hintFor(reason: TransportFailureReason, message: string): string | undefined {
  if (reason === 'unsupported') return 'Allow Deno the network: --allow-net, with host and port.'
  if (reason !== 'tls-untrusted') return undefined
  if (/expired/i.test(message)) return CERTIFICATE_HINTS.expired
  if (/not ?valid ?yet/i.test(message)) return CERTIFICATE_HINTS.early
  if (/not ?valid ?for ?name/i.test(message)) return CERTIFICATE_HINTS.name
  return 'Pass the root certificate of its authority as tls: { ca }, or to Deno as DENO_CERT.'
}
