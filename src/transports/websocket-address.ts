import { type Address, type ConnectOptions, TransportError } from '../wire/transport.ts'

/** What {@link webSocketTransport} takes. */
export interface WebSocketTransportOptions {
  /**
   * The gateway, such as `wss://gateway.example.com/v2`, where `nullpool/gateway` speaks TLS to the
   * database: `?address=host:port` is added. A function is given host and port of the database and returns the whole address. Without it, Neon's hosts are
   * reached by Neon's own route, `wss://<host>/v2`, and no others.
   */
  url?: string | ((address: Address) => string)
  /**
   * Lets you in at the gateway of `url`. It is no password of the database, is never printed, and goes
   * nowhere else.
   */
  token?: string
  /**
   * How the token is sent, since a WebSocket takes no headers: as the subprotocol `bearer.<token>` beside
   * `nullpool`, which the gateway is to choose; or as the parameter `token` of the address, which many
   * servers write into their logs. @default 'protocol'
   */
  tokenIn?: 'protocol' | 'query'
}

/** Where a WebSocket leads, and what that means for what passes. */
export interface Way {
  url: URL
  protocols: string[]
  /** See {@link Connection.isProtected}. */
  isProtected: boolean
  /** See {@link Connection.takesPassword}. */
  takesPassword: boolean
  /** TCP, TLS where there is some, and the upgrade. */
  handshakes: number
}

/** What the gateway is to choose of the subprotocols: the token's own must not come back. */
const PROTOCOL = 'nullpool'

/** What HTTP takes for a subprotocol (RFC 9110 §5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/

/** @throws {TransportError} `unsupported`, without the address, which can hold a token. */
export function chooseWay(
  { host, port }: Address,
  options: WebSocketTransportOptions,
  wanted: Pick<ConnectOptions, 'tls' | 'allowsClear'>,
): Way {
  if (wanted.tls?.ca !== undefined || wanted.tls?.serverName !== undefined) {
    throw new TransportError('unsupported', 'A WebSocket takes no CA and no server name.', {
      hint: 'Leave tls.ca and tls.serverName out: the runtime verifies the gateway against public authorities.',
    })
  }
  if (options.url === undefined) return neonWay(host)
  const url = gatewayUrl({ host, port }, options.url)
  const local = isLoopback(url.hostname)
  const isProtected = url.protocol === 'wss:' || local
  if (!isProtected && !wanted.allowsClear) {
    throw new TransportError('unsupported', 'The url of the gateway begins with ws://.', {
      hint: "Use wss://; only on a network you trust, set tls to 'disable' to send password and rows in clear.",
    })
  }
  const protocols = addToken(url, options)
  const handshakes = url.protocol === 'wss:' ? 3 : 2
  return { url, protocols, isProtected, takesPassword: false, handshakes }
}

/** Whether Neon's own route leads to a host. */
export function isNeonHost(host: string): boolean {
  return host.endsWith('.neon.tech')
}

/** Neon asks for the password there, and for nothing else (neon, proxy/src/pglb: `allow_cleartext`). */
function neonWay(host: string): Way {
  if (!isNeonHost(host)) {
    throw new TransportError('unsupported', 'No WebSocket leads to this host.', {
      hint: "Run a gateway beside the database and pass its address: webSocketTransport({ url: 'wss://…' }). Only Neon's hosts need none.",
    })
  }
  const url = new URL(`wss://${host}/v2`)
  return { url, protocols: [], isProtected: true, takesPassword: true, handshakes: 3 }
}

function gatewayUrl(address: Address, option: NonNullable<WebSocketTransportOptions['url']>): URL {
  const url = parse(typeof option === 'function' ? option(address) : option)
  if (!url || !/^wss?:$/.test(url.protocol) || url.hash !== '' || url.username !== '') {
    throw new TransportError('unsupported', 'The url of the gateway is not the address of one.', {
      hint: 'It looks like wss://gateway.example.com/v2, with no user and no fragment; a token goes into the option token.',
    })
  }
  if (typeof option === 'string') {
    const host = address.host.includes(':') ? `[${address.host}]` : address.host
    url.searchParams.set('address', `${host}:${address.port}`)
  }
  return url
}

/** What the platform throws quotes the text, which can hold a token. */
function parse(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

function addToken(url: URL, { token, tokenIn = 'protocol' }: WebSocketTransportOptions): string[] {
  if (token === undefined) return []
  if (tokenIn === 'query') {
    url.searchParams.set('token', token)
    return []
  }
  if (TOKEN.test(token)) return [PROTOCOL, `bearer.${token}`]
  throw new TransportError('unsupported', 'The token cannot be sent as a subprotocol.', {
    hint: "Use letters, digits, '-' and '_' in it, as base64url does.",
  })
}

/** By its name: a WebSocket to it does not leave the machine. */
function isLoopback(hostname: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}
