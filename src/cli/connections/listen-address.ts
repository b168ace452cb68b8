import { isIP } from 'node:net'
import { isLoopbackHost } from '../../connection-target.ts'
import { CommandFailure } from '../failure.ts'
import { LOOPBACK } from '../free-port.ts'

/** Where an HTTP server listens. */
export interface ListenAddress {
  host: string
  /** 0: a free one. */
  port: number
}

/**
 * Reads `9399`, `:9399`, `127.0.0.1:9399` or `[::1]:9399`. Without a host it is the loopback address; a host has to
 * be an address, because a name may lead anywhere.
 *
 * @throws CommandFailure
 */
export function readListenAddress(text: string): ListenAddress {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]:|([^:]*):)?(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? (plain || LOOPBACK)
  const port = Number(digits)
  if (digits === undefined || port > 65_535 || isIP(host) === 0) {
    throw new CommandFailure(
      'A place to listen at is a port from 0 to 65535, alone or behind an address: 9399 or 127.0.0.1:9399.',
    )
  }
  return { host, port }
}

/** The same as a part of a URL, and of the header Host. */
export function authority({ host, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * Whether a request was meant for this server. A page elsewhere can make its own name lead to this machine (DNS
 * rebinding), and then the header names it.
 *
 * Where the server listens on other than the loopback address, it goes by names that we do not know.
 */
export function isMeantForUs(hostHeader: string | undefined, address: ListenAddress): boolean {
  if (!isLoopbackHost(address.host)) return true
  const names = [address.host, '127.0.0.1', 'localhost', '::1']
  return names.some((host) => hostHeader === authority({ host, port: address.port }))
}
