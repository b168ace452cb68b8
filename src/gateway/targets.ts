import { isLoopbackHost } from '../connection-target.ts'
import { NullpoolError } from '../errors.ts'
import type { GuardMode } from '../guard/guard.ts'
import type { Pooler, Tls } from '../options.ts'
import { formatAddress } from '../wire/format-address.ts'
import type { Address, TlsOptions } from '../wire/transport.ts'
import { isIpAddress, isPublicAddress, parseAddress } from './address.ts'

/** A server that the gateway may connect to. */
export interface GatewayTarget {
  /**
   * `host:port`, an IPv6 address in brackets. `*.` in front of a name stands for any labels there:
   * `*.pooler.supabase.com:6543`.
   */
  address: string
  /**
   * How the gateway itself protects the way to the server; see `DatabaseOptions.tls`.
   * @default 'verify', to loopback hosts 'disable'
   */
  tls?: Tls
  /** Which pooler answers there, where its host does not tell. @default 'auto' */
  pooler?: Exclude<Pooler, 'hyperdrive'>
  /**
   * Whether the name may lead to a private, loopback or link-local address. Of a single name alone; an
   * address, and `localhost`, is listed by itself. @default false
   */
  privateAddresses?: boolean
  /**
   * What becomes of statements in a tunnel that need a session, such as `SET`, `LISTEN` or `pg_advisory_lock`,
   * and that a transaction-mode pooler would let somebody else feel: `'throw'` has the server refuse them
   * (SQLSTATE 0A000), `'warn'` tells `onEvent`. It looks for accidents and reads nothing inside of TLS that is
   * the client's own. @default 'throw' for such a pooler and on port 6543, 'warn' where nothing is known, 'off'
   * elsewhere
   */
  guard?: GuardMode
}

/** An entry of the list, read. */
export interface Target {
  /** The name or address, or what a name has to end with, dot included. */
  readonly host: string
  readonly port: number
  readonly wildcard: boolean
  readonly tls: Tls | undefined
  readonly pooler: Exclude<Pooler, 'hyperdrive'>
  readonly privateAddresses: boolean
  readonly guard: GuardMode | undefined
  /** Whether it is this machine by its name. */
  readonly isLoopback: boolean
}

/** Where the gateway may connect to; everything else it refuses. */
export class TargetList {
  readonly targets: readonly Target[]

  /** @throws {NullpoolError} `ERR_OPTIONS`. */
  constructor(entries: readonly (string | GatewayTarget)[]) {
    this.targets = entries.map((entry) =>
      readTarget(typeof entry === 'string' ? { address: entry } : entry),
    )
  }

  /**
   * The entry for a canonical address, one without a wildcard first.
   *
   * @throws {NullpoolError} `ERR_GATEWAY_TARGET`.
   */
  find(address: Address): Target {
    const fitting = this.targets.filter((target) => fits(target, address))
    const found = fitting.find(({ wildcard }) => !wildcard) ?? fitting[0]
    if (found) return found
    throw refused(`The gateway does not serve ${formatAddress(address)}.`)
  }

  /**
   * Refuses an IP address that is not public, unless the list has it, or the name that led to it may.
   *
   * @throws {NullpoolError} `ERR_GATEWAY_TARGET`; it does not tell the address.
   */
  admit(ip: string, target: Target, { host, port }: Address): void {
    if (isPublicAddress(ip) || target.privateAddresses) return
    const listed = this.targets.some(
      (each) => !each.wildcard && each.host === ip && each.port === port,
    )
    if (listed) return
    throw refused(`${formatAddress({ host, port })} is at an address that is not public.`)
  }
}

/** How the gateway protects the way to a server; `undefined` is in clear. */
export function tlsTo({ tls, isLoopback }: Target): TlsOptions | undefined {
  if (tls === 'disable') return undefined
  if (typeof tls === 'object') return tls
  return tls === 'verify' || !isLoopback ? {} : undefined
}

function fits({ host, port, wildcard }: Target, address: Address): boolean {
  if (port !== address.port) return false
  if (!wildcard) return host === address.host
  return address.host.endsWith(host) && address.host.length > host.length
}

function readTarget(entry: GatewayTarget): Target {
  const { address, tls, pooler = 'auto', privateAddresses = false, guard, ...rest } = entry
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw invalid(`There is no option ${unknown} of a target.`)
  const wildcard = typeof address === 'string' && address.startsWith('*.')
  const read = typeof address === 'string' && parseAddress(wildcard ? address.slice(2) : address)
  if (!read || read.host.includes('*')) {
    throw invalid('A target takes host:port, with *. in front for any name below a domain.')
  }
  if (typeof privateAddresses !== 'boolean') throw invalid('privateAddresses takes true or false.')
  if (guard !== undefined && !/^(?:throw|warn|off)$/.test(String(guard))) {
    throw invalid("guard takes 'throw', 'warn' or 'off'.")
  }
  const isAddress = isIpAddress(read.host)
  const isLoopback = !wildcard && isLoopbackHost(read.host)
  if (wildcard && (privateAddresses || isAddress || !read.host.includes('.'))) {
    throw invalid(
      '*. takes a domain of two labels or more, and no private addresses: list the name itself.',
    )
  }
  return {
    host: wildcard ? `.${read.host}` : read.host,
    ...{ port: read.port, wildcard, tls, pooler, guard, isLoopback },
    privateAddresses: privateAddresses || isAddress || isLoopback,
  }
}

function invalid(words: string): NullpoolError {
  return new NullpoolError('ERR_OPTIONS', `The option targets: ${words}`)
}

function refused(words: string): NullpoolError {
  return new NullpoolError('ERR_GATEWAY_TARGET', words, {
    hint: 'Whoever runs the gateway lists what it may reach, in its option targets.',
  })
}
