import type { Runtime } from '../runtime.ts'
import {
  type Address,
  type Connection,
  type ConnectOptions,
  type TlsOptions,
  type Transport,
  TransportError,
} from '../wire/transport.ts'
import { canonicalHost, isIpAddress } from './address.ts'
import type { TargetList } from './targets.ts'

/**
 * A transport that connects to listed targets only. Where the runtime tells what a name leads to, every
 * address is looked at, and the connection goes to one that was: nobody can change the name in between.
 * Where it does not (Workers), addresses behind names are for the platform to refuse, and where names are
 * resolved at the transport's other end (another gateway), for that.
 */
export function guardedTransport(
  inner: Transport,
  targets: TargetList,
  resolve: Runtime['resolve'],
): Transport {
  return {
    name: inner.name,
    ...(inner.opening === undefined ? {} : { opening: inner.opening }),
    ...(inner.sendsAlpn === undefined ? {} : { sendsAlpn: inner.sendsAlpn }),
    async connect({ host: written, port }, options) {
      const host = canonicalHost(written)
      if (host === undefined) throw new TransportError('name', 'That is no host name.')
      const address = { host, port }
      const target = targets.find(address)
      if (isIpAddress(host)) {
        targets.admit(host, target, address)
        return inner.connect(address, options)
      }
      if (!resolve || inner.resolvesElsewhere) return inner.connect(address, options)
      const ips = await resolved(resolve, host, options.signal)
      for (const ip of ips) targets.admit(ip, target, address)
      return connectToOne(inner, ips, address, options)
    },
  }
}

async function resolved(
  resolve: NonNullable<Runtime['resolve']>,
  host: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const givenUp = new Promise<never>((_, reject) => {
    const giveUp = (): void => reject(new TransportError('lost', 'The attempt was given up.'))
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
  })
  try {
    return await Promise.race([resolve(host), givenUp])
  } catch (error) {
    throw error instanceof TransportError ? error : unresolved(error)
  }
}

function unresolved(cause: unknown): TransportError {
  return new TransportError('name', 'The name does not resolve.', { cause })
}

/** One address after the other, as the system has put them. */
async function connectToOne(
  inner: Transport,
  ips: readonly string[],
  { host, port }: Address,
  options: ConnectOptions,
): Promise<Connection> {
  let last: unknown = new TransportError('name', 'The name has no address.')
  for (const ip of ips) {
    try {
      return new NamedConnection(await inner.connect({ host: ip, port }, options), host)
    } catch (error) {
      last = error
      if (options.signal.aborted) break
    }
  }
  throw last
}

/** A connection to an address, whose peer has to prove the name that led there. */
class NamedConnection implements Connection {
  readonly isProtected: boolean
  readonly takesPassword: boolean
  readonly handshakes: number
  declare readonly endWriting?: () => Promise<void>
  #inner: Connection
  #host: string

  constructor(inner: Connection, host: string) {
    this.isProtected = inner.isProtected ?? false
    this.takesPassword = inner.takesPassword ?? false
    this.handshakes = inner.handshakes ?? 1
    const { endWriting } = inner
    if (endWriting) this.endWriting = () => endWriting.call(inner)
    this.#inner = inner
    this.#host = host
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#inner.read()
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#inner.write(bytes)
  }

  startTls(options: TlsOptions): Promise<Connection> {
    return this.#inner.startTls({ ...options, serverName: options.serverName ?? this.#host })
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  destroy(): void {
    this.#inner.destroy()
  }
}
