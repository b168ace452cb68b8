import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Conditions } from './conditions.ts'
import { ProxiedConnection, type ProxyConnection } from './proxied-connection.ts'
import type { Direction, Fault } from './proxy-faults.ts'

export type { Chunk, Closing, ProxyConnection } from './proxied-connection.ts'
export type { Direction, Fault, FaultAction, FaultEvent } from './proxy-faults.ts'

/** Where the proxy connects to. */
export interface ProxyTarget {
  host: string
  port: number
}

export interface CountingProxyOptions {
  /** Asked once for each connection if it is a function. */
  target: ProxyTarget | (() => ProxyTarget)
  /** The first one that answers decides. More can come later with {@link CountingProxy.inject}. */
  faults?: readonly Fault[]
  /** Accept and reset at once. */
  refuse?: boolean
  /** Keep every chunk in the connection's transcript. */
  record?: boolean
  /**
   * How long the line back to the client is, 0 unless told.
   *
   * A client in another process can put a pause between two writes that belong together. With a
   * line longer than that pause no server answers in between, and the two are one turn.
   */
  latencyMs?: number
}

/**
 * A TCP proxy between the wire and a pooler that counts turns and injects faults.
 *
 * A turn is: the client speaks after the server has spoken, or speaks first. However TCP merges or
 * splits them, chunks from the client with nothing from the server between them are one turn. What
 * is inside is opaque, so TLS makes no difference.
 */
export interface CountingProxy {
  readonly host: string
  readonly port: number
  /** In the order of acceptance. Closed ones stay until {@link CountingProxy.reset}. */
  readonly connections: readonly ProxyConnection[]
  /** Of all connections. */
  readonly turns: number
  /** Connections that were reset because of {@link CountingProxy.refuse}. */
  readonly refused: number
  /** Accept and reset at once, from now on. */
  refuse: boolean
  /** Adds a fault; the returned function removes it. */
  inject(fault: Fault): () => void
  /** The server goes away on every open connection. */
  cutAll(how: 'fin' | 'rst'): void
  /** The server falls silent on every open connection: nothing passes, nothing is closed. */
  stall(direction?: Direction | 'both'): void
  /** Ends every stall; what was held back is delivered. */
  resume(): void
  /** Resolves when the predicate holds; looked at on every chunk, opening and closing. */
  until(predicate: (proxy: CountingProxy) => boolean): Promise<void>
  /** Counts from zero: forgets closed connections and injected faults, zeroes open ones. */
  reset(): void
  stop(): Promise<void>
}

class RunningProxy implements CountingProxy {
  readonly host = '127.0.0.1'
  readonly port: number
  refuse: boolean
  refused = 0
  readonly connections: ProxiedConnection[] = []
  readonly #server: Server
  readonly #options: CountingProxyOptions
  readonly #conditions = new Conditions<CountingProxy>(this)
  readonly #injected = new Set<Fault>()

  constructor(server: Server, options: CountingProxyOptions) {
    this.port = (server.address() as AddressInfo).port
    this.refuse = options.refuse ?? false
    this.#server = server
    this.#options = options
    server.on('connection', (client) => this.#accept(client))
  }

  get turns(): number {
    return this.connections.reduce((sum, connection) => sum + connection.turns, 0)
  }

  inject(fault: Fault): () => void {
    this.#injected.add(fault)
    return () => this.#injected.delete(fault)
  }

  cutAll(how: 'fin' | 'rst'): void {
    for (const connection of this.connections) connection.cut(how)
  }

  stall(direction: Direction | 'both' = 'both'): void {
    for (const connection of this.connections) {
      if (direction !== 'down') connection.stall('up')
      if (direction !== 'up') connection.stall('down')
    }
  }

  resume(): void {
    for (const connection of this.connections) connection.resume()
  }

  until(predicate: (proxy: CountingProxy) => boolean): Promise<void> {
    return this.#conditions.until(predicate)
  }

  reset(): void {
    const open = this.connections.filter((connection) => connection.open)
    this.connections.splice(0, this.connections.length, ...open)
    for (const connection of open) connection.reset()
    this.#injected.clear()
    this.refused = 0
    this.#conditions.changed()
  }

  async stop(): Promise<void> {
    // PgBouncer 1.18 ends, for every other test too, where who asks it to cancel leaves before it has.
    await this.until(() => this.connections.every((each) => !(each.open && each.asksToCancel)))
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const connection of this.connections) connection.destroy()
    await closed
    this.#conditions.abandon(
      `The proxy was stopped while a condition was awaited. ${this.#state()}`,
    )
  }

  #accept(client: Socket): void {
    if (this.refuse) {
      client.on('error', () => {})
      client.resetAndDestroy()
      this.refused += 1
      this.#conditions.changed()
      return
    }
    const { target, record = false, latencyMs = 0 } = this.#options
    const address = typeof target === 'function' ? target() : target
    const server = connect({ ...address, allowHalfOpen: true, noDelay: true })
    const connection: ProxiedConnection = new ProxiedConnection({
      client,
      server,
      record,
      latencyMs,
      position: () => this.connections.indexOf(connection),
      faults: () => [...(this.#options.faults ?? []), ...this.#injected],
      changed: () => this.#conditions.changed(),
    })
    this.connections.push(connection)
    this.#conditions.changed()
  }

  #state(): string {
    const seen = this.connections.map(
      ({ turns, bytesUp, bytesDown, open, closedBy }) =>
        `${turns} turns, ${bytesUp} bytes up, ${bytesDown} down, ${open ? 'open' : closedBy}`,
    )
    return `Connections: ${seen.join('; ') || 'none'}.`
  }
}

/** Starts a proxy on a free port of the loopback address. */
export async function startCountingProxy(options: CountingProxyOptions): Promise<CountingProxy> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return new RunningProxy(server, options)
}

/** From its next word on the server is not heard; resolves when that has been said, and somebody waits for it. */
export function answerHeldBack(proxy: CountingProxy): Promise<void> {
  return new Promise((resolve) => {
    proxy.inject({
      when({ direction }) {
        if (direction === 'up') return undefined
        resolve()
        return 'stall'
      },
    })
  })
}

/** A port that nobody listens on. */
export interface ClosedPort {
  readonly host: string
  readonly port: number
  release(): void
}

/**
 * Finds a port that refuses connections, and keeps it that way until it is released.
 *
 * A port that was listened on and closed could be somebody else's a moment later. The local port of
 * an outgoing connection is taken, yet refuses whoever connects to it.
 */
export async function closedPort(): Promise<ClosedPort> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const outgoing = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(outgoing, 'connect')
  return {
    host: '127.0.0.1',
    port: (outgoing.address() as AddressInfo).port,
    release() {
      outgoing.destroy()
      server.close()
    },
  }
}
