/** Why a transport failed, in words that mean the same on every runtime. */
export type TransportFailureReason =
  /** Nothing listens on that port. */
  | 'refused'
  /** The host has no such address, or no route leads there. */
  | 'unreachable'
  /** The name does not resolve. */
  | 'name'
  /** The peer closed or reset the connection. */
  | 'lost'
  /** The certificate was checked and not trusted, or belongs to another name. */
  | 'tls-untrusted'
  /** The TLS handshake failed for another reason. */
  | 'tls'
  /** An option that this runtime cannot honour. */
  | 'unsupported'
  /** The socket belongs to another request (Cloudflare Workers). */
  | 'foreign'
  /** What stands between, such as a WebSocket gateway, did not open the way or closed it. */
  | 'gateway'
  /** More came in than may wait to be read, and the runtime cannot ask the peer to pause. */
  | 'overrun'

/** What a transport throws: a reason the wire understands, the runtime's error as `cause`. */
export class TransportError extends Error {
  /** Literal, because minifiers rename classes. */
  override readonly name: string = 'TransportError'
  /** Why, independent of the runtime. */
  readonly reason: TransportFailureReason
  /** What to do about it on this runtime, where the transport knows. */
  declare readonly hint?: string

  /** Pass the runtime's own error as `options.cause`. */
  constructor(
    reason: TransportFailureReason,
    message: string,
    options: { cause?: unknown; hint?: string } = {},
  ) {
    super(message, { cause: options.cause })
    this.reason = reason
    if (options.hint !== undefined) this.hint = options.hint
  }
}

/** Where to connect. */
export interface Address {
  /** A name, an IPv4 or an IPv6 address without brackets. */
  host: string
  port: number
}

/** How to connect. */
export interface ConnectOptions {
  /** When aborted, a half-open socket is closed and the attempt rejects. */
  signal: AbortSignal
  /** Whether {@link Connection.startTls} will be called, unless the connection {@link Connection.isProtected}. */
  willStartTls: boolean
  /** What TLS has to fulfil, for a transport that brings its own; absent where none is to be started. */
  tls?: TlsOptions
  /** Whether the user has said by name that bytes may travel in clear; a loopback address alone says nothing. */
  allowsClear?: boolean
}

/** How to verify the peer; verification itself cannot be switched off here. */
export interface TlsOptions {
  /** The name that the certificate must carry. Defaults to the address's host. */
  serverName?: string
  /** Root certificates in PEM, instead of the runtime's own. */
  ca?: string
  /** The protocol to ask for; the peer has to agree. Given only where {@link Transport.sendsAlpn}. */
  alpn?: string
}

/**
 * A connected byte stream.
 *
 * One read and one write are outstanding at most. Every method rejects with {@link TransportError}.
 */
export interface Connection {
  /**
   * True says: these bytes are protected already. The transport encrypts them itself and has verified
   * its other end, or they do not leave this machine. TLS is then not asked for inside of them,
   * {@link Connection.startTls} is not called, and a password in clear counts as encrypted. Says nothing
   * of the way behind that other end.
   */
  readonly isProtected?: boolean
  /**
   * True says: the other end is known to ask for the password in clear, so that it may leave with the
   * start-up message. Counts only where the connection {@link Connection.isProtected}.
   */
  readonly takesPassword?: boolean
  /** Round trips that opening took, as far as handshakes go. @default 1, TCP's */
  readonly handshakes?: number
  /** The next bytes, at least one; `undefined` once the peer has closed its side. */
  read(): Promise<Uint8Array | undefined>
  /** Resolves when the runtime has taken the bytes; the caller does not change them afterwards. */
  write(bytes: Uint8Array): Promise<void>
  /** Continues as TLS on the same socket, the peer verified. Call it once, with no read outstanding. */
  startTls(options: TlsOptions): Promise<Connection>
  /**
   * Sends what is buffered and says that nothing more comes; the peer can still be read. Where it is missing,
   * {@link Connection.close} gives the peer the time to finish by itself.
   */
  endWriting?(): Promise<void>
  /** Sends what is buffered, then closes. May wait for the peer: bound it. */
  close(): Promise<void>
  /** Closes at once. Never throws. */
  destroy(): void
}

/** Opens byte streams with whatever the runtime has. */
export interface Transport {
  /** Shown in error messages and events, for example `node:net`. */
  readonly name: string
  /** What is waited for while it opens, for the message of a timeout. @default 'the TCP connection' */
  readonly opening?: string
  /** Whether TLS can name the protocol that it is for, which saves asking for TLS. */
  readonly sendsAlpn?: boolean
  /** Whether names are resolved at its other end, where they may lead elsewhere than they do here. */
  readonly resolvesElsewhere?: boolean
  /** Rejects with {@link TransportError}. */
  connect(address: Address, options: ConnectOptions): Promise<Connection>
}
