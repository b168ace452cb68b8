import { once } from 'node:events'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import {
  checkServerIdentity,
  connect as connectTls,
  type DetailedPeerCertificate,
  type TLSSocket,
} from 'node:tls'
import { negotiateTls } from '../../wire/handshake.ts'
import { bounded, since } from './bounded.ts'
import { TlsFirst } from './tls-first.ts'

/** Where to look, and under which name. */
export interface Inspection {
  address: string
  port: number
  serverName: string
  /** TLS without asking for it first (`sslnegotiation=direct`). */
  direct: boolean
  timeoutMs: number
}

/** One certificate of a chain, the server's first. Times are ISO 8601. */
export interface ChainLink {
  subject: string
  issuer: string
  validFrom: string
  validTo: string
  sha256: string
}

/** What a server presents. */
export interface TlsAnswer {
  protocol: string
  cipher: string
  chain: ChainLink[]
  /** The names that the certificate is made out to. */
  names: string
  tcpMs: number
  /** From the request for TLS to the server's yes. */
  requestMs: number
  handshakeMs: number
  /** Node's code of why these roots do not vouch for it; `undefined` where they do. */
  refusal: string | undefined
}

/** A chain is no longer than this. */
const LONGEST_CHAIN = 8

/**
 * Opens TLS with these roots, looks at the certificate, and closes. Nothing is sent behind the handshake.
 *
 * @throws {NullpoolError} `ERR_TLS_REFUSED` or `ERR_PROTOCOL` for an answer that is not the beginning of TLS.
 * @throws {TlsFirst} where the request for TLS itself is too much for the server.
 */
export async function inspectTls(
  inspection: Inspection,
  ca: readonly string[],
): Promise<TlsAnswer> {
  const { address, port, timeoutMs } = inspection
  let start = performance.now()
  const socket = connectTcp({ host: address, port })
  // Stays: an error that nobody hears ends the process.
  socket.on('error', () => undefined)
  try {
    await bounded(once(socket, 'connect'), timeoutMs)
    const tcpMs = since(start)
    start = performance.now()
    if (!inspection.direct)
      await bounded(
        negotiateTls((bytes) => ask(socket, bytes)),
        timeoutMs,
      )
    const requestMs = since(start)
    start = performance.now()
    const secure = await bounded(shakeHands(socket, inspection, ca), timeoutMs)
    return {
      ...describe(secure, inspection.serverName),
      tcpMs,
      requestMs,
      handshakeMs: since(start),
    }
  } finally {
    socket.destroy()
  }
}

async function ask(socket: Socket, bytes: Uint8Array): Promise<Uint8Array> {
  socket.write(bytes)
  const [answer] = await Promise.race([
    once(socket, 'data'),
    once(socket, 'close').then(() => {
      throw new TlsFirst('end')
    }),
  ]).catch((cause: unknown) => {
    throw new TlsFirst('end', { cause })
  })
  socket.pause()
  TlsFirst.throwIfAlert(answer)
  return answer
}

/** Goes on with a certificate that is not trusted, to tell what it is; the caller decides by `refusal`. */
async function shakeHands(
  socket: Socket,
  { serverName, direct }: Inspection,
  ca: readonly string[],
): Promise<TLSSocket> {
  const secure = connectTls({
    socket,
    ca: [...ca],
    rejectUnauthorized: false,
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    ...(direct ? { ALPNProtocols: ['postgresql'] } : {}),
  })
  secure.on('error', () => undefined)
  await once(secure, 'secureConnect')
  return secure
}

function describe(
  secure: TLSSocket,
  serverName: string,
): Omit<TlsAnswer, 'tcpMs' | 'requestMs' | 'handshakeMs'> {
  const leaf = secure.getPeerCertificate(true)
  return {
    protocol: secure.getProtocol() ?? 'unknown',
    cipher: secure.getCipher().name,
    chain: chainOf(leaf),
    names: leaf.subjectaltname ?? '',
    refusal: refusalOf(secure, leaf, serverName),
  }
}

function refusalOf(
  secure: TLSSocket,
  leaf: DetailedPeerCertificate,
  serverName: string,
): string | undefined {
  if (!secure.authorized) {
    const error: unknown = secure.authorizationError
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
  const wrongName = checkServerIdentity(serverName, leaf)
  return wrongName && 'code' in wrongName ? String(wrongName.code) : undefined
}

function chainOf(leaf: DetailedPeerCertificate): ChainLink[] {
  const chain: ChainLink[] = []
  let link: DetailedPeerCertificate | undefined = leaf
  while (link?.fingerprint256 && chain.length < LONGEST_CHAIN) {
    const { fingerprint256: sha256 } = link
    if (chain.some((one) => one.sha256 === sha256)) break
    chain.push({
      subject: nameOf(link.subject),
      issuer: nameOf(link.issuer),
      validFrom: new Date(link.valid_from).toISOString(),
      validTo: new Date(link.valid_to).toISOString(),
      sha256,
    })
    link = link.issuerCertificate
  }
  return chain
}

function nameOf(name: DetailedPeerCertificate['subject'] | undefined): string {
  const part = name?.CN ?? name?.O ?? 'nobody'
  return String(part)
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 120)
}
