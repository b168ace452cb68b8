import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

/** Supavisor announces this number whatever the role's own is (sv:protocol/server.ex:119). */
const ITERATIONS = 4096

export function hmac(key: Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest()
}

export function sha256(data: Buffer): Buffer {
  return createHash('sha256').update(data).digest()
}

export function xor(left: Buffer, right: Buffer): Buffer {
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] ?? 0)))
}

export function saltedPassword(password: string, salt: Buffer, iterations: number): Buffer {
  return pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256')
}

/** What a server keeps of a password (RFC 5802 §3). */
export interface ScramSecret {
  salt: Buffer
  storedKey: Buffer
  serverKey: Buffer
}

export function scramSecret(password: string): ScramSecret {
  const salt = randomBytes(16)
  const salted = saltedPassword(password, salt, ITERATIONS)
  return {
    salt,
    storedKey: sha256(hmac(salted, 'Client Key')),
    serverKey: hmac(salted, 'Server Key'),
  }
}

/** Channel binding header as the client's final message repeats it in base64 (RFC 5802 §7). */
const CHANNEL = { 'n,,': 'biws', 'y,,': 'eSws' } as const

/**
 * What the server makes of a message.
 *
 * `crash`: no clause of Supavisor's matches, its process dies and the client is closed unheard.
 */
export type ScramAnswer = { message: string } | { failure: 'protocol' | 'password' | 'crash' }

/** The server's side of one SCRAM-SHA-256 exchange, as strict and as careless as Supavisor's. */
export class ScramServer {
  readonly #secret: ScramSecret
  #clientFirstBare = ''
  #serverFirst = ''
  #clientFinalWithoutProof = ''

  constructor(secret: ScramSecret) {
    this.#secret = secret
  }

  /** Answers the payload of a SASLInitialResponse with the server-first message. */
  first(payload: Buffer): ScramAnswer {
    // <<"SCRAM-SHA-256", 0, _::32, channel::binary-3, bin>> (sv:protocol/server.ex:386-397)
    const mechanism = Buffer.from('SCRAM-SHA-256\0')
    if (!payload.subarray(0, mechanism.length).equals(mechanism)) return { failure: 'protocol' }
    const clientFirst = payload.toString('utf8', mechanism.length + 4)
    const header = clientFirst.slice(0, 3)
    if (header !== 'n,,' && header !== 'y,,') return { failure: 'crash' }
    const { n: user, r: clientNonce } = attributes(clientFirst.slice(3))
    if (user === undefined || clientNonce === undefined) return { failure: 'crash' }
    const nonce = clientNonce + randomBytes(16).toString('base64')
    this.#clientFirstBare = `n=${user},r=${clientNonce}`
    this.#serverFirst = `r=${nonce},s=${this.#secret.salt.toString('base64')},i=${ITERATIONS}`
    this.#clientFinalWithoutProof = `c=${CHANNEL[header]},r=${nonce}`
    return { message: this.#serverFirst }
  }

  /** Answers the payload of a SASLResponse. It never looks at the nonce; the proof covers it. */
  final(payload: Buffer): ScramAnswer {
    // A trailing NUL makes it a cleartext password (sv:protocol/server.ex `decode_payload`).
    if (payload.indexOf(0) === payload.length - 1) return { failure: 'protocol' }
    const { p: proof } = attributes(payload.toString())
    const proofBytes = Buffer.from(proof ?? '', 'base64')
    if (proofBytes.length !== 32) return { failure: 'crash' }
    const exchanged = [this.#clientFirstBare, this.#serverFirst, this.#clientFinalWithoutProof]
    const authMessage = exchanged.join(',')
    const clientKey = xor(proofBytes, hmac(this.#secret.storedKey, authMessage))
    if (!sha256(clientKey).equals(this.#secret.storedKey)) return { failure: 'password' }
    return { message: `v=${hmac(this.#secret.serverKey, authMessage).toString('base64')}` }
  }
}

/** `Regex.scan(~r/(\w+)=([^,]*)/, bin)` of sv:protocol/server.ex `kv_to_map`. */
export function attributes(text: string): Record<string, string | undefined> {
  const found = [...text.matchAll(/(\w+)=([^,]*)/g)]
  return Object.fromEntries(found.map(([, key, value]) => [key ?? '', value]))
}
