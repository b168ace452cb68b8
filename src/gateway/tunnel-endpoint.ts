import type { Context } from 'hono'
import type { WSContext, WSEvents } from 'hono/ws'
import { NullpoolError } from '../errors.ts'
import { Dial, dialWithin, type Route } from '../wire/dial.ts'
import { formatAddress } from '../wire/format-address.ts'
import { Meter } from '../wire/meter.ts'
import { universal } from '../wire/profile.ts'
import type { Address, Connection } from '../wire/transport.ts'
import { transportFailure } from '../wire/transport-failure.ts'
import { parseAddress } from './address.ts'
import { checkBearer } from './bearer.ts'
import type { ConnectionLimit } from './connection-limit.ts'
import { adviceOf, asFailure, badRequest, failureBody, tellingOf, withoutHint } from './failures.ts'
import type { GatewaySettings } from './options.ts'
import { type Target, tlsTo } from './targets.ts'
import { Tunnel, type TunnelChecks } from './tunnel.ts'
import { guardedMessages, guardModeOf } from './tunnel-guard.ts'
import { tunnelPeer } from './tunnel-peer.ts'
import { waitUntilOf } from './wait-until.ts'

/** Behind the close of its client a Worker has 30 seconds; what it still waits for then is never heard of. */
const WORKER_MS = 25_000

/** Where a tunnel leads. */
interface Destination {
  address: Address
  target: Target
}

/**
 * A WebSocket to a server, as Neon's wsproxy speaks it. What is refused is refused inside of the tunnel,
 * in the words of Postgres: no WebSocket API shows its user the status of a response.
 *
 * On `/v1` bytes pass as they are, and TLS is the client's own; on `/v2` the gateway speaks TLS to the
 * server and the client does not. On both, statements that need a session are refused in the place of a pooler
 * that would lend it to somebody else.
 *
 * @see https://github.com/neondatabase/wsproxy
 */
export class TunnelEndpoint {
  readonly #path: '/v1' | '/v2'
  readonly #settings: GatewaySettings
  readonly #limit: ConnectionLimit

  constructor(path: '/v1' | '/v2', settings: GatewaySettings, limit: ConnectionLimit) {
    this.#path = path
    this.#settings = settings
    this.#limit = limit
  }

  /** Answers a request. */
  async answer(c: Context): Promise<Response> {
    const asked = await this.#destination(c).catch(asFailure)
    const upgrades = c.req.header('upgrade')?.toLowerCase() === 'websocket'
    const { upgradeWebSocket, emit } = this.#settings
    if (!(asked instanceof NullpoolError)) {
      if (upgrades) return upgradeWebSocket(c, this.#events(c, asked))
      c.header('upgrade', 'websocket')
      return c.json(failureBody(badRequest('A tunnel is a WebSocket.')), 426)
    }
    emit({ type: 'refused', path: this.#path, code: asked.code })
    if (!upgrades) return c.json(failureBody(asked), tellingOf(asked).status)
    return upgradeWebSocket(c, { onOpen: (_event, ws) => this.#tunnel(ws).fail(asked) })
  }

  async #destination(c: Context): Promise<Destination> {
    const { tokens, targets } = this.#settings
    await checkBearer(c, tokens)
    const address = parseAddress(c.req.query('address') ?? '')
    if (!address) throw badRequest('The parameter address takes host:port.')
    return { address, target: targets.find(address) }
  }

  #events(c: Context, destination: Destination): WSEvents {
    const waitUntil = waitUntilOf(c)
    let tunnel: Tunnel | undefined
    return {
      onOpen: (_event, ws) => {
        tunnel = this.#tunnel(ws, this.#checks(destination), waitUntil ? WORKER_MS : undefined)
        const running = this.#run(tunnel, destination)
        // With the client's close a Worker's request is over, and its sockets with it.
        waitUntil?.(running)
      },
      onMessage: ({ data }) => tunnel?.message(data),
      onClose: ({ code }) => tunnel?.closed(code !== 1006),
      onError: () => tunnel?.closed(false),
    }
  }

  #tunnel(ws: WSContext, checks?: TunnelChecks, mostMs = Number.POSITIVE_INFINITY): Tunnel {
    const partingTimeoutMs = Math.min(this.#settings.idleTimeoutMs, mostMs)
    return new Tunnel(tunnelPeer(ws), { ...this.#settings, partingTimeoutMs }, checks)
  }

  #checks(destination: Destination): TunnelChecks {
    const { address, target } = destination
    const inClear = this.#path === '/v1' && tlsTo(target) !== undefined
    const mode = guardModeOf(target, address)
    const at = { path: this.#path, target: formatAddress(address) }
    const found = (error: NullpoolError): void => {
      const { code } = error
      if (mode === 'throw') this.#settings.emit({ type: 'refused', ...at, code })
      else this.#settings.emit({ type: 'warning', ...at, code, message: withoutHint(error) })
    }
    return {
      refuseClear: inClear ? clearRefused(destination) : undefined,
      messages: guardedMessages(mode, found),
    }
  }

  async #run(tunnel: Tunnel, destination: Destination): Promise<void> {
    const { emit } = this.#settings
    const path = this.#path
    const target = formatAddress(destination.address)
    const startedAt = Date.now()
    let leave = (): void => undefined
    try {
      leave = this.#limit.enter()
      tunnel.open(await this.#connect(tunnel, destination))
      emit({ type: 'open', path, target, connectMs: Date.now() - startedAt })
    } catch (error) {
      const failure = transportFailure(error, destination.address, false)
      // Of a client that has left meanwhile there is nothing to refuse.
      if (!tunnel.over) {
        emit({ type: 'refused', path, target, code: failure.code, ...adviceOf(failure) })
      }
      tunnel.fail(failure)
    }
    const end = await tunnel.ended
    leave()
    emit({ type: 'close', path, target, ...end, durationMs: Date.now() - startedAt })
  }

  #connect(tunnel: Tunnel, { address, target }: Destination): Promise<Connection> {
    const { transport, connectTimeoutMs } = this.#settings
    const tls = this.#path === '/v2' ? tlsTo(target) : undefined
    const route: Route = { transport, address, tls, profile: universal }
    const dial = new Dial()
    const opening = dial.open(route, new Meter())
    void tunnel.ended.then(() => dial.giveUp())
    return dialWithin(dial, opening, route, { leftMs: connectTimeoutMs, connectTimeoutMs })
  }
}

function clearRefused({ address }: Destination): NullpoolError {
  const at = formatAddress(address)
  return new NullpoolError('ERR_TLS_REQUIRED', `On /v1 this would reach ${at} in clear.`, {
    hint: "Use /v2, where the gateway speaks TLS to the server, ask for TLS yourself, or, on a network that you trust, list the target with tls: 'disable'.",
  })
}
