/**
 * Every code this package throws with; add it here before throwing it.
 *
 * `docs/errors.md` explains each one.
 */
export type NullpoolErrorCode =
  | 'ERR_OPTIONS'
  | 'ERR_URL_MISSING'
  | 'ERR_URL_INVALID'
  | 'ERR_RUNTIME_UNSUPPORTED'
  | 'ERR_CONNECT_REFUSED'
  | 'ERR_CONNECT_UNREACHABLE'
  | 'ERR_CONNECT_NAME'
  | 'ERR_CONNECT_TIMEOUT'
  | 'ERR_CONNECTION_LOST'
  | 'ERR_GATEWAY'
  | 'ERR_TLS_UNTRUSTED'
  | 'ERR_TLS_REFUSED'
  | 'ERR_TLS_REQUIRED'
  | 'ERR_TLS_FAILED'
  | 'ERR_AUTH_PASSWORD'
  | 'ERR_AUTH_METHOD'
  | 'ERR_AUTH_SERVER'
  | 'ERR_AUTH_BLOCKED'
  | 'ERR_DATABASE_UNKNOWN'
  | 'ERR_TENANT_UNKNOWN'
  | 'ERR_ACCESS_DENIED'
  | 'ERR_POOLER_FULL'
  | 'ERR_POOLER_SESSION_FULL'
  | 'ERR_SERVER_UNAVAILABLE'
  | 'ERR_SERVER'
  | 'ERR_PROTOCOL'
  | 'ERR_QUERY_TIMEOUT'
  | 'ERR_STREAM_IDLE'
  | 'ERR_STREAM_OVERRUN'
  | 'ERR_TRANSACTION_IDLE'
  | 'ERR_TRANSACTION_WAIT'
  | 'ERR_TRANSACTION_OVER'
  | 'ERR_TRANSACTION_ROLLED_BACK'
  | 'ERR_TRANSACTION_STREAM'
  | 'ERR_PREPARED_STATEMENT'
  | 'ERR_SESSION_STATE'
  | 'ERR_CLAIMS'
  | 'ERR_RESULT_SIZE'
  | 'ERR_GATEWAY_TOKEN'
  | 'ERR_GATEWAY_TARGET'
  | 'ERR_GATEWAY_REQUEST'
  | 'ERR_GATEWAY_LIMIT'
  | 'ERR_GATEWAY_SIZE'
  | 'ERR_ABORTED'
  | 'ERR_POOL_TIMEOUT'
  | 'ERR_POOL_CLOSED'
  | 'ERR_SCOPE_CLOSED'
  | 'ERR_SCOPE_FOREIGN'

/** What is certain of a transaction that has failed. */
export type TransactionOutcome = 'committed' | 'rolled back' | 'unknown'

/** What {@link NullpoolError} takes beside its code and message. */
export interface NullpoolErrorOptions {
  /** The error underneath: the runtime's, or {@link ServerError} with the server's SQLSTATE. */
  cause?: unknown
  /** The option to change and the value to give it, in one sentence. */
  hint?: string | undefined
  /** True only where none of the request's SQL ran and another attempt may succeed. Defaults to false. */
  retryable?: boolean
  /** What became of the transaction that failed. */
  outcome?: TransactionOutcome
}

/**
 * Every failure this package reports. Switch on {@link NullpoolError.code code}, not on `message`.
 *
 * Errors that the server raises about a statement (a unique violation, a syntax error) are the
 * driver's own `PostgresError` with its SQLSTATE and are not wrapped. No message, hint or cause
 * holds a password, a connection string or the value of a parameter.
 *
 * @example Tell a full pooler from everything else
 * ```ts
 * import { NullpoolError } from 'nullpool'
 *
 * function statusFor(error: unknown): 503 | 500 {
 *   return NullpoolError.is(error) && error.code === 'ERR_POOLER_FULL' ? 503 : 500
 * }
 * ```
 */
export class NullpoolError extends Error {
  /** Literal, because minifiers rename classes. */
  override readonly name: string = 'NullpoolError'
  /** Stable across releases. */
  readonly code: NullpoolErrorCode
  /**
   * True only where it is certain that no statement of the request ran, and where another attempt may
   * succeed: the whole request can be repeated.
   */
  readonly retryable: boolean
  /** What to change, naming the option. */
  declare readonly hint?: string
  /**
   * What became of the transaction, on errors with which `transaction()` rejects because its connection
   * was lost. `'unknown'`: the connection ended after COMMIT had been sent and before its answer.
   */
  declare readonly outcome?: TransactionOutcome

  /** Takes a code of the closed list and a message that names what failed. */
  constructor(code: NullpoolErrorCode, message: string, options: NullpoolErrorOptions = {}) {
    super(
      withHint(message, options.hint),
      'cause' in options ? { cause: options.cause } : undefined,
    )
    this.code = code
    this.retryable = options.retryable ?? false
    if (options.hint !== undefined) this.hint = options.hint
    if (options.outcome !== undefined) this.outcome = options.outcome
  }

  /** True for errors of this package, also those of a second copy of it, where `instanceof` is false. */
  static is(value: unknown): value is NullpoolError {
    return value instanceof Error && value.name === 'NullpoolError' && 'code' in value
  }
}

/** An error that quotes another already ends with the hint. */
function withHint(message: string, hint: string | undefined): string {
  return hint === undefined || message.endsWith(hint) ? message : `${message} ${hint}`
}

/**
 * What a server or pooler said when it refused a connection; the `cause` of a {@link NullpoolError}.
 *
 * Holds the severity, SQLSTATE and message of the ErrorResponse only: its detail and context can
 * quote row values.
 */
export class ServerError extends Error {
  /** Literal, because minifiers rename classes. */
  override readonly name: string = 'ServerError'
  /** `ERROR`, `FATAL` or `PANIC`, never translated. */
  readonly severity: string
  /** Five characters of SQLSTATE, for example `28P01`; poolers often send `08P01` or `XX000`. */
  readonly sqlState: string

  /** Takes the three fields as the server sent them. */
  constructor(severity: string, sqlState: string, message: string) {
    super(message)
    this.severity = severity
    this.sqlState = sqlState
  }
}
