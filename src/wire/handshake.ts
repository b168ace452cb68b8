import { NullpoolError } from '../errors.ts'
import { md5 } from './md5.ts'
import {
  Backend,
  concat,
  decodeText,
  encodeText,
  passwordMessage,
  readCString,
  readErrorFields,
  readUint32,
  saslInitialResponse,
  saslResponse,
  sslRequest,
  startupMessage,
} from './messages.ts'
import { createScramExchange } from './scram.ts'
import { serverFailure } from './server-failure.ts'

/** Who logs in where. */
export interface Credentials {
  user: string
  database: string
  /** A function, so that an inspected object shows no secret. */
  password: () => string
  applicationName: string
}

/** Messages in, bytes out, while nobody else reads or writes. */
export interface HandshakeChannel {
  write(bytes: Uint8Array): Promise<void>
  /** The next message of the server; rejects when the connection ends. */
  next(): Promise<Uint8Array>
}

/** Behind a password that was not asked for, Neon was seen to hang on 32 to 42 KB (serverless#209). */
const UNASKED_BYTES = 16_384

const MECHANISM = 'SCRAM-SHA-256'

/**
 * Asks for TLS. Exactly these eight bytes leave, and exactly one byte may come back.
 *
 * @param exchange - Writes the bytes and resolves to whatever the server sends first.
 * @throws `ERR_TLS_REFUSED` when the server has no TLS, `ERR_PROTOCOL` when it says more than one byte:
 *   bytes that came in clear must not be taken for bytes of the encrypted session (CVE-2021-23222).
 */
export async function negotiateTls(
  exchange: (bytes: Uint8Array) => Promise<Uint8Array>,
): Promise<void> {
  const answer = await exchange(sslRequest())
  if (answer[0] === Backend.errorResponse) throw refusedBeforeTls()
  if (answer.length === 1 && answer[0] === 0x53) return
  if (answer.length === 1 && answer[0] === 0x4e) {
    throw new NullpoolError('ERR_TLS_REFUSED', 'The server does not speak TLS.', {
      hint: "Turn TLS on at the server; only on a network you trust, set tls to 'disable' to send everything in clear.",
    })
  }
  throw new NullpoolError(
    'ERR_PROTOCOL',
    'The server answered the request for TLS with something else.',
    {
      hint: 'Check host and port of the connection string.',
    },
  )
}

/** What is left of a login when a flight may leave. */
export interface Login {
  /** Leaves in one write with the first flight. */
  proof?: Uint8Array
  /**
   * Given where the proof is a password that nobody has asked for yet: the server must ask for just that,
   * and no more bytes than these may leave before the login is complete.
   */
  unasked?: number
  /** Takes SASLFinal; throws unless the server has proved itself. Nothing it says counts before. */
  verify?: (serverFinal: string) => void
}

/** What a login depends on beside the credentials. */
export interface LoginOptions {
  /** Whether a password in clear is safe from others. */
  encrypted: boolean
  /** What is begun before the server asks for it. */
  pipelines: false | 'scram' | 'password'
}

/**
 * Logs in, one message to a write and one write to a message: poolers exist that take a delivery for
 * a message and drop the rest. Resolves as soon as a flight may leave, which is before ReadyForQuery:
 * on a verified SASLFinal, or on AuthenticationOk; pipelined, with the challenge.
 */
export async function authenticate(
  channel: HandshakeChannel,
  credentials: Credentials,
  { encrypted, pipelines }: LoginOptions,
): Promise<Login> {
  const { user, database, applicationName } = credentials
  const startup = startupMessage({
    user,
    database,
    client_encoding: 'UTF8',
    application_name: applicationName,
  })
  if (pipelines === 'password') return guessPassword(startup, credentials)
  if (pipelines === 'scram') return pipelineScram(channel, startup, credentials)
  await channel.write(startup)
  const request = await nextAuthentication(channel)
  const method = readUint32(request, 5)
  if (method === 0) return {}
  if (method === 10) {
    await authenticateWithScram(channel, request, credentials)
    return {}
  }
  await channel.write(passwordMessage(answerPassword(method, request, credentials, encrypted)))
  const verdict = readUint32(await nextAuthentication(channel), 5)
  if (verdict !== 0) throw unsupportedMethod(`type ${verdict} after a password`)
  return {}
}

/** Start-up, password and first flight are one write. */
function guessPassword(startup: Uint8Array, { password }: Credentials): Login {
  return { proof: concat([startup, passwordMessage(password())]), unasked: UNASKED_BYTES }
}

/** The server's request, where the password has been sent already. */
export function checkGuess(method: number): void {
  if (method !== 0 && method !== 3) throw guessedWrong(method, 'a password in clear')
}

async function pipelineScram(
  channel: HandshakeChannel,
  startup: Uint8Array,
  credentials: Credentials,
): Promise<Login> {
  const exchange = createScramExchange(credentials.password())
  await channel.write(concat([startup, saslInitialResponse(MECHANISM, exchange.first)]))
  const request = await nextAuthentication(channel)
  if (readUint32(request, 5) !== 10) throw guessedWrong(readUint32(request, 5), 'SCRAM-SHA-256')
  requireScram(request)
  const challenge = await nextSasl(channel, 11)
  const proof = saslResponse(await exchange.respond(challenge))
  return { proof, verify: (serverFinal) => exchange.verify(serverFinal) }
}

function answerPassword(
  method: number,
  request: Uint8Array,
  credentials: Credentials,
  encrypted: boolean,
): string {
  if (method === 3) {
    if (encrypted) return credentials.password()
    throw new NullpoolError(
      'ERR_AUTH_METHOD',
      'The server asks for the password in clear over a connection without TLS.',
      {
        hint: "Set tls to 'verify', or let the server ask for SCRAM-SHA-256.",
      },
    )
  }
  if (method === 5) return md5Password(credentials, request.subarray(9, 13))
  throw unsupportedMethod(`type ${method}`)
}

async function authenticateWithScram(
  channel: HandshakeChannel,
  request: Uint8Array,
  credentials: Credentials,
): Promise<void> {
  requireScram(request)
  const exchange = createScramExchange(credentials.password())
  await channel.write(saslInitialResponse(MECHANISM, exchange.first))
  const challenge = await nextSasl(channel, 11)
  await channel.write(saslResponse(await exchange.respond(challenge)))
  exchange.verify(await nextSasl(channel, 12))
}

function requireScram(request: Uint8Array): void {
  const offered = decodeText(request.subarray(9)).split('\0')
  if (!offered.includes(MECHANISM)) throw unsupportedMethod(offered.filter(Boolean).join(', '))
}

async function nextSasl(channel: HandshakeChannel, step: 11 | 12): Promise<string> {
  const message = await nextAuthentication(channel)
  if (readUint32(message, 5) === step) return readCString(message, 9)
  throw unproved()
}

/** A server that skips its proof could be anybody who passes the password on. */
export function unproved(): NullpoolError {
  return new NullpoolError(
    'ERR_AUTH_SERVER',
    'The server left the SCRAM exchange before it proved itself.',
    {
      hint: 'Something between this function and the database answers in its place; check host and tls.',
    },
  )
}

async function nextAuthentication(channel: HandshakeChannel): Promise<Uint8Array> {
  for (;;) {
    const message = await channel.next()
    if (message[0] === Backend.authentication && message.length >= 9) return message
    if (message[0] === Backend.errorResponse) throw serverFailure(readErrorFields(message), false)
    if (message[0] !== Backend.noticeResponse) {
      throw new NullpoolError('ERR_PROTOCOL', 'The server sent an unexpected message during login.')
    }
  }
}

/** @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP */
function md5Password({ password, user }: Credentials, salt: Uint8Array): string {
  const inner = hex(md5(encodeText(password() + user)))
  return `md5${hex(md5(concat([encodeText(inner), salt])))}`
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

const METHODS: Readonly<Record<number, string>> = {
  0: 'none',
  3: 'cleartext',
  5: 'md5',
  10: 'SCRAM-SHA-256',
}

function guessedWrong(type: number, guess: string): NullpoolError {
  return new NullpoolError(
    'ERR_AUTH_METHOD',
    `The server asks for another way to log in (${METHODS[type] ?? `type ${type}`}) than ${guess}, which was begun to save time.`,
    {
      hint: "Set the option pooler to 'supavisor', which begins nothing early and suits every pooler.",
    },
  )
}

function unsupportedMethod(what: string): NullpoolError {
  return new NullpoolError(
    'ERR_AUTH_METHOD',
    `The server asks for an authentication method that is not supported (${what}).`,
    {
      hint: 'Let the server ask for scram-sha-256 (auth_type in PgBouncer, pg_hba.conf in Postgres).',
    },
  )
}

/**
 * A server that is full, or cannot fork, may refuse before TLS. Anybody on the way could have written
 * its words, so they are not repeated (CVE-2024-10977).
 */
function refusedBeforeTls(): NullpoolError {
  return new NullpoolError(
    'ERR_SERVER_UNAVAILABLE',
    'The server refused the connection before TLS.',
    {
      hint: 'It may be full or restarting: look at its log, or retry with a delay.',
      retryable: true,
    },
  )
}
