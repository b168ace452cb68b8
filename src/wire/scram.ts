import { NullpoolError } from '../errors.ts'
import { encodeText } from './messages.ts'
import { RecentlyUsed } from './recently-used.ts'
import { prepare } from './saslprep.ts'

/**
 * SCRAM-SHA-256 as a client, without channel binding: edge runtimes cannot read the peer's certificate.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7677
 * @see https://www.postgresql.org/docs/current/sasl-authentication.html
 */

/** The largest count that Cloudflare Workers' PBKDF2 accepts; Postgres announces 4,096 by default. */
const MAX_ITERATIONS = 100_000
const MAX_CACHED = 16

/** What is left of a password: two keys that sign, and one that hides the first signature. */
interface Keys {
  client: Uint8Array<ArrayBuffer>
  stored: CryptoKey
  server: CryptoKey
}

/** By password, salt and iterations. No promises: on Workers a promise belongs to its request. */
const cache = new RecentlyUsed<Keys>(MAX_CACHED)

/** The client's side of one exchange. */
export interface ScramExchange {
  /** The client-first message. */
  first: string
  /** Checks the server-first message and computes the client-final one. */
  respond(serverFirst: string): Promise<string>
  /** Throws `ERR_AUTH_SERVER` unless the server has proved that it knows the password. */
  verify(serverFinal: string): void
}

/** Starts an exchange. The user name is left empty: Postgres takes it from the start-up message. */
export function createScramExchange(password: string): ScramExchange {
  const nonce = toBase64(crypto.getRandomValues(new Uint8Array(18)))
  const bare = `n=,r=${nonce}`
  let expected: Uint8Array | undefined
  return {
    first: `n,,${bare}`,
    async respond(serverFirst) {
      const challenge = readChallenge(serverFirst, nonce)
      const keys = await deriveKeys(password, challenge.salt, challenge.iterations)
      const withoutProof = `c=biws,r=${challenge.nonce}`
      const signed = encode(`${bare},${serverFirst},${withoutProof}`)
      const both = [sign(keys.stored, signed), sign(keys.server, signed)] as const
      const [signature, answer] = await Promise.all(both)
      expected = answer
      return `${withoutProof},p=${toBase64(signature.map((byte, at) => byte ^ (keys.client[at] ?? 0)))}`
    },
    verify(serverFinal) {
      const sent = fromBase64(readAttributes(serverFinal).get('v') ?? '')
      if (!expected || !sent || !equalInConstantTime(sent, expected)) throw impostor()
    },
  }
}

function readChallenge(
  serverFirst: string,
  clientNonce: string,
): { nonce: string; salt: Uint8Array<ArrayBuffer>; iterations: number } {
  const attributes = readAttributes(serverFirst)
  const nonce = attributes.get('r') ?? ''
  const salt = fromBase64(attributes.get('s') ?? '')
  const iterations = Number(attributes.get('i'))
  if (serverFirst.startsWith('m=')) throw malformed()
  // A nonce that does not extend ours is a replay of somebody else's exchange.
  if (!nonce.startsWith(clientNonce) || nonce.length === clientNonce.length) throw impostor()
  if (!salt?.length || !Number.isInteger(iterations) || iterations < 1) {
    throw malformed()
  }
  if (iterations > MAX_ITERATIONS) {
    throw new NullpoolError(
      'ERR_AUTH_METHOD',
      `The server asks for ${iterations} SCRAM iterations; at most ${MAX_ITERATIONS} are computed here.`,
      { hint: 'Lower scram_iterations on the server and set the password again.' },
    )
  }
  return { nonce, salt, iterations }
}

async function deriveKeys(
  password: string,
  salt: Uint8Array<ArrayBuffer>,
  iterations: number,
): Promise<Keys> {
  const id = `${iterations} ${toBase64(salt)} ${password}`
  const known = cache.get(id)
  if (known) return known
  const material = await crypto.subtle.importKey(
    'raw',
    encode(prepare(password)),
    'PBKDF2',
    false,
    ['deriveBits'],
  )
  const derived = await crypto.subtle.deriveBits(
    { name: 'PBKDF2', hash: 'SHA-256', salt, iterations },
    material,
    256,
  )
  const salted = await signingKey(derived)
  const client = await sign(salted, encode('Client Key'))
  const keys = {
    client,
    stored: await signingKey(await crypto.subtle.digest('SHA-256', client)),
    server: await signingKey(await sign(salted, encode('Server Key'))),
  }
  cache.set(id, keys)
  return keys
}

function signingKey(bytes: BufferSource): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
}

async function sign(
  key: CryptoKey,
  data: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, data))
}

function readAttributes(message: string): Map<string, string> {
  return new Map(message.split(',').map((part) => [part.charAt(0), part.slice(2)]))
}

function equalInConstantTime(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  let difference = 0
  for (const [at, byte] of left.entries()) difference |= byte ^ (right[at] ?? 0)
  return difference === 0
}

function malformed(): NullpoolError {
  return new NullpoolError('ERR_PROTOCOL', 'The server sent a malformed SCRAM challenge.')
}

function impostor(): NullpoolError {
  return new NullpoolError(
    'ERR_AUTH_SERVER',
    'The server could not prove that it knows the password: its SCRAM answer is wrong.',
    {
      hint: 'Something between this function and the database answers in its place; check host and tls.',
    },
  )
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(encodeText(text))
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}
