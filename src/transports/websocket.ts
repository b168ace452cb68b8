import {
  type Address,
  type Connection,
  type ConnectOptions,
  type Transport,
  TransportError,
} from '../wire/transport.ts'
import { chooseWay, type WebSocketTransportOptions } from './websocket-address.ts'
import { WebSocketConnection } from './websocket-connection.ts'

export type { WebSocketTransportOptions } from './websocket-address.ts'

/**
 * Postgres through the runtime's global `WebSocket`, for runtimes that have no TCP: through a gateway
 * that speaks as `nullpool/gateway` and Neon's wsproxy do (`url`), or, without one, by Neon's own route to Neon's hosts.
 *
 * TLS is that of `wss:`, verified by the runtime against its public authorities, up to the gateway; the
 * gateway sees what passes, password and rows included, and how it goes on from there is its own affair.
 * No TLS is asked for inside. `ws:` is taken to loopback addresses only, unless `tls` is `'disable'`.
 * A WebSocket cannot make the server wait: 16 MiB may lie unread, then the connection fails with
 * `ERR_STREAM_OVERRUN`. The platform does not say why a WebSocket was not opened.
 *
 * @throws nothing; connecting fails with `ERR_OPTIONS` for `tls.ca` and `tls.serverName`, which the
 *   runtime cannot honour, for a host without a way to it and for an address that is none;
 *   `ERR_GATEWAY` where the WebSocket does not open or is closed with a reason. What `nullpool/gateway`
 *   refuses has the gateway's own code, such as `ERR_GATEWAY_TOKEN`.
 *
 * @see https://github.com/neondatabase/wsproxy
 * @see https://github.com/neondatabase/serverless/blob/main/CONFIG.md
 *
 * @example
 * ```ts
 * import { createDatabase, webSocketTransport } from 'nullpool'
 *
 * const transport = webSocketTransport({ url: 'wss://gateway.example.com/v2', token: 'secret' })
 * const database = createDatabase({ transport })
 * ```
 */
export function webSocketTransport(options: WebSocketTransportOptions = {}): Transport {
  return {
    name: 'WebSocket',
    opening: 'the WebSocket',
    resolvesElsewhere: true,
    async connect(address: Address, { signal, ...wanted }: ConnectOptions): Promise<Connection> {
      const way = chooseWay(address, options, wanted)
      const socket = construct(way.url, way.protocols)
      const connection = new WebSocketConnection(socket, way)
      await connection.opened(signal)
      return connection
    },
  }
}

/** What the platform throws may quote the address, which can hold a token: it is not passed on. */
function construct(url: URL, protocols: string[]): WebSocket {
  if (typeof WebSocket === 'undefined') {
    throw new TransportError('unsupported', 'This runtime has no global WebSocket.')
  }
  let socket: WebSocket | undefined
  try {
    socket = new WebSocket(url.href, protocols)
  } catch {}
  if (!socket) {
    throw new TransportError('unsupported', 'This runtime takes no such WebSocket.', {
      hint: 'Check the url and the token of webSocketTransport.',
    })
  }
  return socket
}
