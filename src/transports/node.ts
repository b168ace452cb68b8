import { connect as connectTcp, isIP, type Socket } from 'node:net'
import * as tls from 'node:tls'
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

/** Bytes that may wait to be read before the socket is paused. */
const READ_AHEAD = 262_144

/** TCP and TLS of `node:net` and `node:tls`. Certificates are verified against Node's own roots, those of Supabase's hosts against Supabase's too. */
export const transport: Transport = {
  name: 'node:net',
  sendsAlpn: true,
  async connect(address: Address, { signal }: ConnectOptions): Promise<Connection> {
    const socket = connectTcp(address)
    socket.setNoDelay(true)
    await ready(socket, 'connect', signal, (error) => reasonOf(error))
    return new NodeConnection(socket, address, signal)
  },
}

class NodeConnection implements Connection {
  #socket: Socket
  #address: Address
  #signal: AbortSignal
  #chunks: Uint8Array[] = []
  #buffered = 0
  #ended = false
  #error: Error | undefined
  #wake: (() => void) | undefined

  constructor(socket: Socket, address: Address, signal: AbortSignal) {
    this.#socket = socket
    this.#address = address
    this.#signal = signal
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onEnd)
    socket.on('error', this.#onError)
  }

  #onData = (chunk: Uint8Array): void => {
    this.#chunks.push(chunk)
    this.#buffered += chunk.length
    if (this.#buffered > READ_AHEAD) this.#socket.pause()
    this.#wake?.()
  }

  #onEnd = (): void => {
    this.#ended = true
    this.#wake?.()
  }

  #onError = (error: Error): void => {
    this.#error = error
    this.#wake?.()
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk) {
        this.#buffered -= chunk.length
        if (this.#buffered <= READ_AHEAD) this.#socket.resume()
        return chunk
      }
      if (this.#error) throw failure(this.#error, reasonOf(this.#error))
      if (this.#ended) return undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error) reject(failure(error, reasonOf(error)))
        else resolve()
      })
    })
  }

  async startTls({ serverName, ca, alpn }: TlsOptions): Promise<Connection> {
    this.#socket.off('data', this.#onData)
    this.#socket.off('end', this.#onEnd)
    const host = serverName ?? this.#address.host
    const secure = tls.connect({
      socket: this.#socket,
      host,
      // An IP address may not be sent as the server name (RFC 6066 §3).
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...trust(host, ca),
      ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
    })
    await ready(secure, 'secureConnect', this.#signal, tlsReasonOf)
    if (alpn !== undefined && secure.alpnProtocol !== alpn) {
      secure.destroy()
      // Anything with a certificate could answer that has not agreed; libpq refuses it too.
      throw new TransportError('tls', `The server did not agree to ${alpn} in TLS.`)
    }
    return new NodeConnection(secure, this.#address, this.#signal)
  }

  async close(): Promise<void> {
    if (this.#socket.destroyed) return
    const closed = new Promise<void>((resolve) => this.#socket.once('close', resolve))
    // Unread bytes would keep the socket from ending.
    this.#socket.resume()
    this.#socket.end()
    await closed
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** Made once: it reads all of Node's roots. */
let withSupabase: tls.SecureContext | undefined

function trust(
  host: string,
  ca: string | undefined,
): { ca?: string; secureContext?: tls.SecureContext } {
  if (ca !== undefined) return { ca }
  const authority = authorityOf(host)
  if (authority === undefined) return {}
  withSupabase ??= tls.createSecureContext({ ca: [...knownRoots(), authority] })
  return { secureContext: withSupabase }
}

/** Before 22.15 Node does not tell what `NODE_EXTRA_CA_CERTS` and the system have added. */
function knownRoots(): readonly string[] {
  return tls.getCACertificates?.('default') ?? tls.rootCertificates
}

/** Resolves on the event, rejects on an error, on an early end and when given up. */
async function ready(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  signal: AbortSignal,
  toReason: (error: Error) => TransportFailureReason,
): Promise<void> {
  const giveUp = (): void => {
    socket.destroy()
  }
  let closed: () => void = () => undefined
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    if (signal.aborted) giveUp()
    await new Promise<void>((resolve, reject) => {
      closed = () => reject(new TransportError('lost', `The socket closed before ${event}.`))
      socket.once(event, resolve).once('close', closed)
      // Stays: an error that nobody hears ends the process.
      socket.on('error', (error) => reject(failure(error, toReason(error))))
    })
  } finally {
    signal.removeEventListener('abort', giveUp)
    socket.off('close', closed)
  }
}

function failure(error: Error, reason: TransportFailureReason): TransportError {
  const hint = reason === 'tls-untrusted' ? untrustedHint(codeOf(error)) : undefined
  return new TransportError(reason, error.message, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  })
}

function untrustedHint(code: string): string {
  if (code === 'CERT_HAS_EXPIRED') return CERTIFICATE_HINTS.expired
  if (code === 'CERT_NOT_YET_VALID') return CERTIFICATE_HINTS.early
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return CERTIFICATE_HINTS.name
  return 'Pass the root certificate of its authority as tls: { ca }.'
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

function reasonOf(error: Error): TransportFailureReason {
  const code = codeOf(error)
  if (code === 'ECONNREFUSED') return 'refused'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'name'
  if (/^(EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ETIMEDOUT|EHOSTDOWN)$/.test(code))
    return 'unreachable'
  return 'lost'
}

/** OpenSSL's verification errors, and Node's own for a wrong name. */
function tlsReasonOf(error: Error): TransportFailureReason {
  const code = codeOf(error)
  if (/CERT|ISSUER|SIGNATURE|CRL|CHAIN/.test(code)) return 'tls-untrusted'
  return /^E(CONN|PIPE)/.test(code) ? 'lost' : 'tls'
}
