import { NullpoolError } from '../errors.ts'
import { formatAddress } from './format-address.ts'
import type { Address } from './transport.ts'

/** What is known of the statement that a connection was to run when it ended. */
export function outcome(mayHaveRun: boolean): string {
  return mayHaveRun
    ? 'What waited did not run; whether what was under way took effect is not known.'
    : 'The statement did not run.'
}

/** The same error where other statements of its request have run: repeating the request repeats them. */
export function afterOthers(error: NullpoolError): NullpoolError {
  if (!error.retryable) return error
  const { code, message, cause, hint } = error
  return new NullpoolError(code, message, { cause, hint, retryable: false })
}

/** The error for a server that stays silent before the first query. */
export function connectTimeout(
  address: Address,
  timeoutMs: number,
  phase: string,
  mayHaveRun: boolean,
): NullpoolError {
  return new NullpoolError(
    'ERR_CONNECT_TIMEOUT',
    `${formatAddress(address)} did not answer within ${timeoutMs} ms; the wait was for ${phase}. ${outcome(mayHaveRun)}`,
    {
      hint: 'Check host, port and firewall; connectTimeoutMs changes the limit.',
      retryable: !mayHaveRun,
    },
  )
}

/** The error for a server that closes during the login. */
export function closedEarly(mayHaveRun: boolean): NullpoolError {
  return new NullpoolError(
    'ERR_CONNECTION_LOST',
    `The server closed the connection during the login. ${outcome(mayHaveRun)}`,
    {
      hint: 'A pooler that is full or restarting does this, and so does a port that is not Postgres.',
      retryable: !mayHaveRun,
    },
  )
}

/** The error for a server that closes later. */
export function closedByServer(mayHaveRun: boolean): NullpoolError {
  return new NullpoolError(
    'ERR_CONNECTION_LOST',
    `The server closed the connection. ${outcome(mayHaveRun)}`,
    { retryable: !mayHaveRun },
  )
}

/** The error for a server that stays silent while an answer is due. */
export function queryTimeout(timeoutMs: number): NullpoolError {
  return new NullpoolError(
    'ERR_QUERY_TIMEOUT',
    `The server was silent for ${timeoutMs} ms while an answer was due. ${outcome(true)}`,
    { hint: 'queryTimeoutMs changes the limit.' },
  )
}

/** The error for a cursor or a COPY with which nobody goes on, while the connection waits for it. */
export function streamIdle(timeoutMs: number): NullpoolError {
  return new NullpoolError(
    'ERR_STREAM_IDLE',
    `Nobody went on with a cursor or a COPY for ${timeoutMs} ms; it was ended. Whether the statement took effect is not known.`,
    {
      hint: 'A sql that is awaited inside of a loop over a cursor waits for the loop: collect the rows first, or put the second statement into a scope of its own (database.run). queryTimeoutMs changes the limit.',
    },
  )
}

/** The error for a transaction in which nothing happens while everything else waits. */
export function transactionIdle(timeoutMs: number): NullpoolError {
  return new NullpoolError(
    'ERR_TRANSACTION_IDLE',
    `A transaction stayed open for ${timeoutMs} ms without a statement and was rolled back.`,
    {
      hint: 'Inside sql.begin(async (tx) => …) use tx and not sql: sql waits for the transaction to end. Keep calls to other services out of transactions.',
    },
  )
}

/** The error for a statement that waits behind a transaction which goes on and on. */
export function transactionBusy(timeoutMs: number): NullpoolError {
  return new NullpoolError(
    'ERR_TRANSACTION_WAIT',
    `A statement waited ${timeoutMs} ms for a transaction of the same request to end. The statement did not run.`,
    {
      hint: 'Inside of a transaction use the sql that it gives: every other sql of the request waits for its end. queryTimeoutMs changes the limit.',
    },
  )
}

/** The error for a statement that comes after the connection has failed. */
export function repeatedFailure(error: NullpoolError): NullpoolError {
  return new NullpoolError(
    error.code,
    `The connection of this request has already failed: ${error.message}`,
    { cause: error, hint: error.hint, retryable: error.retryable },
  )
}

/** The error itself first; then errors of the same kind for statements that were never sent. */
export function repeated(error: NullpoolError): () => NullpoolError {
  let told = false
  return () => {
    if (told) return repeatedFailure(error)
    told = true
    return error
  }
}
