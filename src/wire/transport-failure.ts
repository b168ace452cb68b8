import { NullpoolError, type NullpoolErrorCode } from '../errors.ts'
import { formatAddress } from './format-address.ts'
import { outcome } from './loss.ts'
import type { Address, TransportFailureReason } from './transport.ts'

interface Wording {
  code: NullpoolErrorCode
  say: (at: string, mayHaveRun: boolean) => string
  hint?: string
  retryable?: boolean
}

const WORDINGS: Record<TransportFailureReason, Wording> = {
  refused: {
    code: 'ERR_CONNECT_REFUSED',
    say: (at) => `Nothing accepts connections at ${at}.`,
    hint: 'Check host and port: a transaction-mode pooler usually listens on 6543, Postgres on 5432.',
    retryable: true,
  },
  unreachable: {
    code: 'ERR_CONNECT_UNREACHABLE',
    say: (at) => `No route leads to ${at}.`,
    hint: 'Direct Supabase hosts (db.<ref>.supabase.co) have IPv6 addresses only; use the shared pooler, which has IPv4.',
    retryable: true,
  },
  name: {
    code: 'ERR_CONNECT_NAME',
    say: (at) => `The host name of ${at} does not resolve.`,
    hint: 'Copy the host again from the dashboard; the host of a removed or paused project disappears.',
    retryable: true,
  },
  lost: {
    code: 'ERR_CONNECTION_LOST',
    say: (at, mayHaveRun) =>
      `The connection to ${at} was closed by the other side. ${outcome(mayHaveRun)}`,
    retryable: true,
  },
  'tls-untrusted': {
    code: 'ERR_TLS_UNTRUSTED',
    say: (at) => `The certificate of ${at} is not trusted here.`,
  },
  tls: {
    code: 'ERR_TLS_FAILED',
    say: (at) => `The TLS handshake with ${at} failed.`,
  },
  unsupported: {
    code: 'ERR_OPTIONS',
    say: () => 'This runtime cannot do what the options ask for.',
  },
  foreign: {
    code: 'ERR_SCOPE_FOREIGN',
    say: () => 'A connection of one request was used while another request was being answered.',
    hint: 'Take sql from the context of the request at hand (c.var.sql), never from a variable outside of the handler.',
  },
  gateway: {
    code: 'ERR_GATEWAY',
    say: (at, mayHaveRun) =>
      `The gateway on the way to ${at} did not let the connection through, or closed it. ${outcome(mayHaveRun)}`,
    retryable: true,
  },
  overrun: {
    code: 'ERR_STREAM_OVERRUN',
    say: (at) => `${at} sent faster than its answers were read, and this runtime cannot pause it.`,
    hint: 'Read on without waiting in between, or ask for less at a time: limit, or cursor(n).',
  },
}

/** What a connection died of, as the error that its users see. */
export function transportFailure(
  error: unknown,
  address: Address,
  mayHaveRun: boolean,
): NullpoolError {
  if (NullpoolError.is(error)) return error
  const reason = reasonOf(error)
  const wording = WORDINGS[reason]
  return new NullpoolError(wording.code, wording.say(formatAddress(address), mayHaveRun), {
    cause: error,
    hint: hintOf(error) ?? wording.hint,
    retryable: (wording.retryable ?? false) && !mayHaveRun,
  })
}

/** By name and not by class: a transport may come from another copy of this package. */
function reasonOf(error: unknown): TransportFailureReason {
  if (!(error instanceof Error) || error.name !== 'TransportError') return 'lost'
  const reason = 'reason' in error ? error.reason : undefined
  return typeof reason === 'string' && Object.hasOwn(WORDINGS, reason)
    ? (reason as TransportFailureReason)
    : 'lost'
}

function hintOf(error: unknown): string | undefined {
  return error instanceof Error && 'hint' in error && typeof error.hint === 'string'
    ? error.hint
    : undefined
}
