import type { Address } from './transport.ts'

/** As people write it: an IPv6 address has brackets around it (RFC 3986 §3.2.2). */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
