import { parseConnectionString } from '../connection-string.ts'
import { splitConnectionString } from '../connection-text.ts'
import { formatAddress } from '../wire/format-address.ts'
import type { Address } from '../wire/transport.ts'
import { parseAddress } from './address.ts'
import { badRequest } from './failures.ts'

/** Where a client's connection string leads. */
export interface SqlDestination {
  /** As it is compared with the list. */
  address: Address
  /** The client's, with its host in that notation: how a host is reached is told from its text. */
  connectionString: string
}

/**
 * Reads the connection string of a client.
 *
 * @throws {NullpoolError} `ERR_URL_INVALID`, or `ERR_GATEWAY_REQUEST` for a host that there cannot be.
 */
export function readSqlDestination(text: string): SqlDestination {
  const { host, port } = parseConnectionString(text)
  const address = parseAddress(formatAddress({ host, port }))
  if (!address) throw badRequest('The connection string names no host that there can be.')
  const { host: written, hostEnd } = splitConnectionString(text)
  const canonical = address.host.includes(':') ? `[${address.host}]` : address.host
  const connectionString = text.slice(0, hostEnd - written.length) + canonical + text.slice(hostEnd)
  return { address, connectionString }
}
