import { connect as connectSocket, type Socket } from 'cloudflare:sockets'
import {
  type Address,
  type Connection,
  type ConnectOptions,
  type TlsOptions,
  type Transport,
  TransportError,
  type TransportFailureReason,
} from '../wire/transport.ts'

/** One large write kills connections in production (node-postgres#3757). */
const MAX_WRITE = 16_384

const UNTRUSTED_HINT =
  "Workers trust public authorities only and cannot be given another. Ways out: connect through Hyperdrive with the server's CA uploaded (npx wrangler cert upload certificate-authority), pass a transport that verifies the CA itself, or, knowing that password and rows then travel in clear, set tls to 'disable'."

/**
 * TCP and TLS of `cloudflare:sockets`. Certificates are verified against the runtime's public roots;
 * `tls.ca` and `tls.serverName` are refused, because the runtime ignores them.
 *
 * @see https://developers.cloudflare.com/workers/runtime-apis/tcp-sockets/
 */
export const transport: Transport = {
  name: 'cloudflare:sockets',
  async connect({ host, port }: Address, options: ConnectOptions): Promise<Connection> {
    const socket = attempt(() =>
      connectSocket(
        { hostname: host, port },
        { secureTransport: options.willStartTls ? 'starttls' : 'off', allowHalfOpen: false },
      ),
    )
    await opened(socket, options.signal, connectReason)
    return new CloudflareConnection(socket, options.signal)
  },
}

class CloudflareConnection implements Connection {
  #socket: Socket
  #signal: AbortSignal
  #reader: ReadableStreamDefaultReader<Uint8Array>
  #writer: WritableStreamDefaultWriter<Uint8Array>

  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket
    this.#signal = signal
    this.#reader = socket.readable.getReader()
    this.#writer = socket.writable.getWriter()
    // Its end shows in read() and write(); on its own it must not become an unhandled rejection.
    ignore(socket.closed)
    ignore(this.#reader.closed)
    ignore(this.#writer.closed)
  }

  async read(): Promise<Uint8Array | undefined> {
    try {
      const { value, done } = await this.#reader.read()
      return done ? undefined : value
    } catch (error) {
      throw failure(error, lostReason)
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; at += MAX_WRITE) {
        await this.#writer.write(bytes.subarray(at, at + MAX_WRITE))
      }
    } catch (error) {
      throw failure(error, lostReason)
    }
  }

  async startTls(options: TlsOptions): Promise<Connection> {
    if (options.ca !== undefined || options.serverName !== undefined) {
      throw new TransportError('unsupported', 'Workers ignore a CA and a server name.', {
        hint: 'Leave tls.ca and tls.serverName out. A private CA needs Hyperdrive with the CA uploaded.',
      })
    }
    this.#reader.releaseLock()
    this.#writer.releaseLock()
    const secure = attempt(() => this.#socket.startTls())
    // The runtime does not say why a handshake failed; a server that has just answered "S" and a
    // certificate that is not public are by far the likeliest pair (Supabase's own CA).
    await opened(secure, this.#signal, () => 'tls-untrusted')
    return new CloudflareConnection(secure, this.#signal)
  }

  async endWriting(): Promise<void> {
    try {
      await this.#writer.close()
    } catch (error) {
      throw failure(error, lostReason)
    }
  }

  async close(): Promise<void> {
    try {
      await this.#socket.close()
    } catch (error) {
      throw failure(error, lostReason)
    }
  }

  destroy(): void {
    ignore(attemptQuietly(() => this.#socket.close()))
  }
}

async function opened(
  socket: Socket,
  signal: AbortSignal,
  toReason: (message: string) => TransportFailureReason,
): Promise<void> {
  ignore(socket.closed)
  const givenUp = new Promise<never>((_, reject) => {
    const giveUp = (): void => {
      ignore(attemptQuietly(() => socket.close()))
      reject(new TransportError('lost', 'The attempt to connect was given up.'))
    }
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
  })
  try {
    await Promise.race([socket.opened, givenUp])
  } catch (error) {
    throw error instanceof TransportError ? error : failure(error, toReason)
  }
}

function attempt(open: () => Socket): Socket {
  try {
    return open()
  } catch (error) {
    throw failure(error, connectReason)
  }
}

async function attemptQuietly(close: () => Promise<void>): Promise<void> {
  await close()
}

function failure(
  error: unknown,
  toReason: (message: string) => TransportFailureReason,
): TransportError {
  const message = error instanceof Error ? error.message : String(error)
  const reason = /on behalf of a different request/.test(message) ? 'foreign' : toReason(message)
  return new TransportError(reason, message, {
    cause: error,
    ...(reason === 'tls-untrusted' ? { hint: UNTRUSTED_HINT } : {}),
  })
}

function connectReason(message: string): TransportFailureReason {
  return /dns|resolve|lookup/i.test(message) ? 'name' : 'refused'
}

function lostReason(): TransportFailureReason {
  return 'lost'
}

function ignore(promise: Promise<unknown>): void {
  promise.catch(() => undefined)
}
