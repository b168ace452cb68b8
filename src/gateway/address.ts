import ipaddr from 'ipaddr.js'
import type { Address } from '../wire/transport.ts'

/** Longer texts are no addresses: a name has 253 characters, a port five. */
const MAX_LENGTH = 300

/**
 * Reads `host:port`, an IPv6 address in brackets. Whatever notation the host has, it comes out in the one
 * in which it is compared: `0x7f.1`, `2130706433` and `127.0.0.1.` are 127.0.0.1, as they are for a browser.
 *
 * @returns `undefined` for what is none.
 *
 * @see https://url.spec.whatwg.org/#host-parsing
 */
export function parseAddress(text: string): Address | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const [, written = '', digits] = /^(\[[^\]]*\]|[^:[\]]+):(\d{1,5})$/.exec(text) ?? []
  const host = canonicalHost(written)
  const port = Number(digits)
  return host === undefined || !(port >= 1 && port <= 65_535) ? undefined : { host, port }
}

/** The one notation of a host; an IPv6 address may have brackets, and has none afterwards. */
export function canonicalHost(written: string): string | undefined {
  const host = written.includes(':') && !written.startsWith('[') ? `[${written}]` : written
  if (host === '' || /[\s/?#@\\]/.test(host)) return undefined
  try {
    const { hostname, port } = new URL(`http://${host}/`)
    const name = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
    return port !== '' || name === '' || name.length > 253 ? undefined : name
  } catch {
    return undefined
  }
}

/** Whether a canonical host is an IP address. */
export function isIpAddress(host: string): boolean {
  return ipaddr.isValid(host) && (host.includes(':') || /^\d+(\.\d+){3}$/.test(host))
}

/**
 * Whether an IP address is one of the public internet: not of this machine, a private or a link's own
 * network, nor one with another purpose. An IPv4 address inside of an IPv6 one (RFC 4291 §2.5.5, RFC 6052)
 * counts as itself, and what is no global unicast address is not public.
 *
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry/
 */
export function isPublicAddress(ip: string): boolean {
  if (!ipaddr.isValid(ip)) return false
  const address = ipaddr.process(ip)
  if (address instanceof ipaddr.IPv4) return address.range() === 'unicast'
  if (address.match(NAT64)) {
    return isPublicAddress(address.toByteArray().slice(12).join('.'))
  }
  return address.range() === 'unicast' && address.match(GLOBAL_UNICAST)
}

/** How an IPv6-only network reaches IPv4 (RFC 6052 §2.1). */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96')
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')
