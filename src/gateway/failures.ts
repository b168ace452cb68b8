import { NullpoolError, type NullpoolErrorCode, ServerError } from '../errors.ts'
import { Backend, frame } from '../wire/messages.ts'

/** How a failure is told over HTTP, over a WebSocket and in the words of Postgres. */
export interface Telling {
  /** Of an HTTP response. */
  status: 400 | 401 | 403 | 408 | 413 | 500 | 502 | 503 | 504 | 507
  /** With which a WebSocket closes (RFC 6455 §7.4). */
  closeStatus: number
  sqlState: string
}

const UNREACHABLE: Telling = { status: 502, closeStatus: 1014, sqlState: '08001' }
const TOO_SLOW: Telling = { status: 504, closeStatus: 1014, sqlState: '08001' }
const FULL: Telling = { status: 503, closeStatus: 1013, sqlState: '53300' }
const WRONG: Telling = { status: 400, closeStatus: 4400, sqlState: '08P01' }

const TELLINGS: Partial<Record<NullpoolErrorCode, Telling>> = {
  ERR_GATEWAY_TOKEN: { status: 401, closeStatus: 4401, sqlState: '28000' },
  ERR_GATEWAY_TARGET: { status: 403, closeStatus: 4403, sqlState: '08004' },
  ERR_GATEWAY_REQUEST: WRONG,
  ERR_GATEWAY_LIMIT: FULL,
  ERR_GATEWAY_SIZE: { status: 413, closeStatus: 1009, sqlState: '54000' },
  ERR_GATEWAY_TIMEOUT: { status: 408, closeStatus: 1013, sqlState: '08006' },
  ERR_RESULT_SIZE: { status: 507, closeStatus: 1009, sqlState: '54000' },
  ERR_URL_INVALID: WRONG,
  ERR_URL_MISSING: WRONG,
  ERR_TLS_REQUIRED: { status: 403, closeStatus: 4403, sqlState: '08004' },
  ERR_CONNECT_TIMEOUT: TOO_SLOW,
  ERR_QUERY_TIMEOUT: TOO_SLOW,
  ERR_TRANSACTION_IDLE: TOO_SLOW,
  ERR_TRANSACTION_WAIT: TOO_SLOW,
  ERR_POOLER_FULL: FULL,
  ERR_POOLER_SESSION_FULL: FULL,
  ERR_SERVER_UNAVAILABLE: FULL,
  ERR_ABORTED: FULL,
  ERR_SCOPE_CLOSED: FULL,
}

/** What the server says of a login that is the client's to correct. */
const OF_THE_CLIENT: ReadonlySet<NullpoolErrorCode> = new Set([
  'ERR_AUTH_PASSWORD',
  'ERR_AUTH_BLOCKED',
  'ERR_DATABASE_UNKNOWN',
  'ERR_TENANT_UNKNOWN',
  'ERR_ACCESS_DENIED',
  'ERR_TRANSACTION_ROLLED_BACK',
  'ERR_SESSION_STATE',
  'ERR_PREPARED_STATEMENT',
])

/** What no client can change: the gateway's options and limits, and what it trusts. */
const OF_THE_OPERATOR: ReadonlySet<NullpoolErrorCode> = new Set([
  'ERR_OPTIONS',
  'ERR_RUNTIME_UNSUPPORTED',
  'ERR_TLS_UNTRUSTED',
  'ERR_TLS_REFUSED',
  'ERR_TLS_FAILED',
  'ERR_AUTH_METHOD',
  'ERR_QUERY_TIMEOUT',
])

/** What to do about a failure, where that is for the gateway's operator alone. */
export function adviceOf({ code, hint }: NullpoolError): { hint?: string } {
  return hint !== undefined && OF_THE_OPERATOR.has(code) ? { hint } : {}
}

/** What a client is told of that. */
function hintFor(error: NullpoolError): string | undefined {
  if (adviceOf(error).hint === undefined) return error.hint
  return 'Whoever runs the gateway can change that: its events say how.'
}

/** How to tell an error of this package. */
export function tellingOf({ code, cause }: NullpoolError): Telling {
  if (!OF_THE_CLIENT.has(code)) return TELLINGS[code] ?? UNREACHABLE
  const sqlState = cause instanceof ServerError ? cause.sqlState : code
  return { ...WRONG, sqlState }
}

/** The message of an error, which ends with its hint, where that has a place of its own. */
export function withoutHint({ message, hint }: NullpoolError): string {
  return hint !== undefined && message.endsWith(hint)
    ? message.slice(0, -hint.length).trim()
    : message
}

/** The body of an HTTP response; a driver of Neon's shows it whole, or its fields with status 400. */
export function failureBody(error: NullpoolError): Record<string, unknown> {
  const { code, retryable, outcome } = error
  const message = withoutHint(error)
  const { status, sqlState } = tellingOf(error)
  const told = status === 400 && OF_THE_CLIENT.has(code) ? sqlState : code
  return { message, code: told, severity: 'FATAL', hint: hintFor(error), retryable, outcome }
}

/**
 * The same as the last message of a server, which a driver takes for the answer to its start-up. The code
 * stands where a server names the routine that raised an error.
 */
export function failureMessage(error: NullpoolError): Uint8Array {
  const { sqlState } = tellingOf(error)
  const words = hintFor(error)
  const hint = words ? `H${words}\0` : ''
  const fields = `SFATAL\0VFATAL\0C${sqlState}\0M${withoutHint(error)}\0${hint}R${error.code}\0\0`
  return frame(Backend.errorResponse, fields)
}

/** A reason of a closed WebSocket has 123 bytes at the most (RFC 6455 §5.5). */
export function closeReason(error: NullpoolError): string {
  return error.code
}

/** As many connections as are allowed. */
export function tooManyConnections(most: number): NullpoolError {
  return new NullpoolError('ERR_GATEWAY_LIMIT', `The gateway has ${most} connections already.`, {
    retryable: true,
    hint: 'Try again later, or raise its option maxConnections.',
  })
}

/** More bytes than a message or a body may have. */
export function tooLarge(most: number): NullpoolError {
  return new NullpoolError('ERR_GATEWAY_SIZE', `The gateway takes ${most} bytes at once.`, {
    hint: 'Send less at once, or raise its option maxMessageBytes.',
  })
}

/** A body that does not come, or comes too slowly. */
export function tooSlow(): NullpoolError {
  return new NullpoolError(
    'ERR_GATEWAY_TIMEOUT',
    'The body of the request did not arrive in time.',
    {
      retryable: true,
      hint: 'Send it without pauses, or raise bodyTimeoutMs or idleTimeoutMs of the gateway.',
    },
  )
}

/** An answer that its client does not take. */
export function unread(): NullpoolError {
  const words = 'The answer of the gateway was not read in time. What its statements did is done.'
  return new NullpoolError('ERR_GATEWAY_TIMEOUT', words, {
    hint: 'Read it without pauses, or raise idleTimeoutMs of the gateway.',
  })
}

/** A client that leaves before all of its request is there: nobody hears of it but the gateway. */
export function clientLeft(cause: unknown): NullpoolError {
  const words = 'The client left before its request was complete. Nothing was connected.'
  return new NullpoolError('ERR_ABORTED', words, { cause })
}

/** A request that the protocol does not know. */
export function badRequest(words: string): NullpoolError {
  return new NullpoolError('ERR_GATEWAY_REQUEST', words)
}

/** What has failed, as an error of ours; what nobody expected is not told. */
export function asFailure(error: unknown): NullpoolError {
  if (NullpoolError.is(error)) return error
  return new NullpoolError('ERR_SERVER', 'The gateway failed.', { cause: error })
}
