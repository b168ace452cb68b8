import type { UpgradeWebSocket } from 'hono/ws'
import { runtime } from '#runtime'
import { NullpoolError } from '../errors.ts'
import type { Transport } from '../wire/transport.ts'
import { isToken } from './bearer.ts'
import type { GatewayEvent } from './events.ts'
import { guardedTransport } from './guarded-transport.ts'
import { type GatewayTarget, TargetList } from './targets.ts'
import { workersUpgrade } from './workers-upgrade.ts'

/** What {@link createGateway} takes. `token` and `targets` are needed: without them everything is closed. */
export interface GatewayOptions {
  /**
   * What clients have to bring; several while one is being replaced. From 32 to 512 letters, digits and
   * `-._~`, made at random: `openssl rand -hex 32`.
   */
  token: string | readonly string[]
  /** Where the gateway may connect to: `host:port`, or an object with what is to be known of it. */
  targets: readonly (string | GatewayTarget)[]
  /**
   * Hono's helper for WebSockets on this runtime: on Node, that of `@hono/node-server`. @default that of Workers
   *
   * @see https://hono.dev/docs/helpers/websocket
   */
  upgradeWebSocket?: UpgradeWebSocket
  /** Tunnels and queries at once in this process or isolate, also those still arriving or leaving. @default 100 */
  maxConnections?: number
  /** Bytes of one WebSocket message, and of the body of a query. @default 16777216 */
  maxMessageBytes?: number
  /**
   * Bytes of one tunnel that may wait for the server, beside one message; each message counts 128 more. Where the runtime cannot stop a
   * client that sends faster (Workers), the tunnel closes with 1013. @default 16777216
   */
  maxBufferedBytes?: number
  /** Bytes of the results that one request to `/sql` may give, as its answer has them. @default 16777216 */
  maxResultBytes?: number
  /**
   * How long a tunnel may carry nothing, a body that arrives stand still, and an answer not be read, in
   * milliseconds. @default 300000
   */
  idleTimeoutMs?: number
  /** How long the body of a query may take to arrive, in milliseconds. @default 60000 */
  bodyTimeoutMs?: number
  /** From the first byte to the server until it can be used, in milliseconds. @default 10000 */
  connectTimeoutMs?: number
  /** How long the server may be silent in a query, in milliseconds. @default 30000 */
  queryTimeoutMs?: number
  /** Bytes to the server. @default the runtime's own TCP and TLS */
  transport?: Transport
  /** Told what happens; what it throws is ignored. Never sees a token, a connection string or SQL. */
  onEvent?: (event: GatewayEvent) => void
}

/** Options with their defaults filled in. */
export interface GatewaySettings
  extends Required<Omit<GatewayOptions, 'token' | 'targets' | 'onEvent'>> {
  tokens: readonly string[]
  targets: TargetList
  emit: (event: GatewayEvent) => void
}

const MIB = 1_048_576
/** What fits into a string, and into the memory of a process, has an end. */
const MAX_BYTES = 256 * MIB
const MAX_MS = 2_147_483_647

const NUMBERS = {
  maxConnections: { default: 100, most: 1_000_000 },
  maxMessageBytes: { default: 16 * MIB, most: MAX_BYTES },
  maxBufferedBytes: { default: 16 * MIB, most: MAX_BYTES },
  maxResultBytes: { default: 16 * MIB, most: MAX_BYTES },
  idleTimeoutMs: { default: 300_000, most: MAX_MS },
  bodyTimeoutMs: { default: 60_000, most: MAX_MS },
  connectTimeoutMs: { default: 10_000, most: MAX_MS },
  queryTimeoutMs: { default: 30_000, most: MAX_MS },
} as const

const OTHERS = ['token', 'targets', 'upgradeWebSocket', 'transport', 'onEvent']

/** Checks the options and fills in the defaults; the only place that knows them. */
export function resolveGatewayOptions(options: GatewayOptions): GatewaySettings {
  if (typeof options !== 'object' || options === null) throw invalid('The gateway takes an object.')
  for (const name of Object.keys(options)) {
    if (!OTHERS.includes(name) && !Object.hasOwn(NUMBERS, name)) {
      throw invalid(`There is no option ${name} of the gateway.`)
    }
  }
  const { upgradeWebSocket, transport = runtime.transport, onEvent } = options
  for (const [name, value] of Object.entries({ upgradeWebSocket, onEvent })) {
    if (value !== undefined && typeof value !== 'function')
      throw invalid(`${name} takes a function.`)
  }
  if (typeof transport?.connect !== 'function') {
    throw invalid('The option transport takes an object with connect().')
  }
  const targets = new TargetList(readTargets(options.targets))
  return {
    tokens: readTokens(options.token),
    targets,
    upgradeWebSocket: upgradeWebSocket ?? workersUpgrade,
    ...readNumbers(options),
    transport: guardedTransport(transport, targets, runtime.resolve),
    emit(event) {
      // A broken listener must not break a request.
      try {
        Promise.resolve(onEvent?.(event)).catch(() => undefined)
      } catch {}
    },
  }
}

function readTokens(token: GatewayOptions['token']): readonly string[] {
  const tokens = typeof token === 'string' ? [token] : token
  if (Array.isArray(tokens) && tokens.length > 0 && tokens.length <= 16 && tokens.every(isToken)) {
    return [...tokens]
  }
  throw invalid(
    'The option token takes one text, or several, of 32 to 512 letters, digits and -._~ each.',
    'Make one with openssl rand -hex 32, and keep it as a secret: GATEWAY_TOKEN in the examples.',
  )
}

function readTargets(targets: GatewayOptions['targets']): GatewayOptions['targets'] {
  const isEntry = (entry: unknown): boolean =>
    typeof entry === 'string' || (typeof entry === 'object' && entry !== null)
  if (Array.isArray(targets) && targets.length > 0 && targets.every(isEntry)) return targets
  throw invalid('The option targets takes a list of host:port; nothing is served without it.')
}

function readNumbers(options: GatewayOptions): Record<keyof typeof NUMBERS, number> {
  const read = Object.entries(NUMBERS).map(([name, { default: usual, most }]) => {
    const value = options[name as keyof typeof NUMBERS] ?? usual
    if (Number.isInteger(value) && value >= 1 && value <= most) return [name, value]
    throw invalid(`The option ${name} takes a whole number from 1 to ${most}.`)
  })
  return Object.fromEntries(read) as Record<keyof typeof NUMBERS, number>
}

function invalid(words: string, hint?: string): NullpoolError {
  return new NullpoolError('ERR_OPTIONS', words, { hint })
}
