/** `SSLRequest`, which asks a server for TLS (PostgreSQL, "Message Formats"). */
const SSL_REQUEST = [0, 0, 0, 8, 4, 210, 22, 47]

/** So many bytes tell in any case. */
export const TELLING_BYTES: number = SSL_REQUEST.length

/** The first byte of a TLS handshake (RFC 8446 §5.1), for clients that begin with it. */
const TLS_HANDSHAKE = 22

/**
 * Whether a client begins by asking its server for TLS.
 *
 * @returns `undefined` as long as its first bytes do not tell.
 */
export function asksForTls(bytes: Uint8Array): boolean | undefined {
  if (bytes[0] === TLS_HANDSHAKE) return true
  const length = Math.min(bytes.length, SSL_REQUEST.length)
  if (SSL_REQUEST.slice(0, length).some((byte, index) => byte !== bytes[index])) return false
  return length === SSL_REQUEST.length ? true : undefined
}
