/**
 * Every code this package throws with; add it here before throwing it: what it means → what to do.
 *
 * `npm run docs:errors` writes docs/errors.md from it.
 */
export type NullpoolErrorCode =
  // Before connecting
  /**
   * an option that does not exist, does not fit, or cannot be honoured on this runtime
   * → the message names it
   */
  | 'ERR_OPTIONS'
  /** no connection string → set `DATABASE_URL`, bind a Hyperdrive, or pass `url` */
  | 'ERR_URL_MISSING'
  /**
   * a connection string that cannot work
   * → the message says what is wrong with it, without quoting it
   */
  | 'ERR_URL_INVALID'
  /**
   * no TCP that nullpool knows, Deno without `--allow-env=PGAPPNAME`, a pool where no connection
   * outlives its request, or something else that the runtime lacks
   * → pass a `transport`; `createDatabase()` in the place of a pool; the message says more
   */
  | 'ERR_RUNTIME_UNSUPPORTED'
  // Connecting
  /** nothing listens there → check host and port: poolers 6543, Postgres 5432 */
  | 'ERR_CONNECT_REFUSED'
  /** no route → a direct Supabase host has IPv6 only; use the shared pooler */
  | 'ERR_CONNECT_UNREACHABLE'
  /** the host name does not resolve → copy it again; a paused project's host disappears */
  | 'ERR_CONNECT_NAME'
  /** silence before the first query could run → the message says what was waited for */
  | 'ERR_CONNECT_TIMEOUT'
  /**
   * the WebSocket to the gateway did not open, or the gateway closed it
   * → is it up, and is that its address? Another gateway than nullpool's tells no more: token and
   * targets, too
   */
  | 'ERR_GATEWAY'
  /**
   * the certificate is not trusted, not valid now, or another name's
   * → `tls: { ca }` on Node; Hyperdrive with the CA uploaded on Workers
   */
  | 'ERR_TLS_UNTRUSTED'
  /** the server has no TLS → turn it on there, or set `tls: 'disable'` on a network you trust */
  | 'ERR_TLS_REFUSED'
  /** the server wants TLS and was not offered it → `tls: 'verify'`, no `sslmode=disable` */
  | 'ERR_TLS_REQUIRED'
  /** the TLS handshake failed for another reason → see the hint and `cause` */
  | 'ERR_TLS_FAILED'
  /**
   * user or password refused
   * → correct it; never retry: Supabase locks a project after ten failures
   */
  | 'ERR_AUTH_PASSWORD'
  /**
   * the server asks for a method that is not supported, or for the password in clear without TLS
   * → SCRAM-SHA-256 at the server
   */
  | 'ERR_AUTH_METHOD'
  /** the server could not prove that it knows the password → something else answers in its place */
  | 'ERR_AUTH_SERVER'
  /**
   * the pooler blocks after too many failures
   * → correct the password everywhere, wait two minutes
   */
  | 'ERR_AUTH_BLOCKED'
  /** no such database → the path of the connection string; `/postgres` on Supabase */
  | 'ERR_DATABASE_UNKNOWN'
  /** the pooler knows no such project → the user is `<role>.<project ref>`; copy the host */
  | 'ERR_TENANT_UNKNOWN'
  /** not allowed from here → network restrictions, `pg_hba.conf` */
  | 'ERR_ACCESS_DENIED'
  /**
   * the pooler or database takes no more, or had no backend free in time
   * → close connections, shorten transactions, raise the limit
   */
  | 'ERR_POOLER_FULL'
  /** the session-mode pooler is full → use port 6543 */
  | 'ERR_POOLER_SESSION_FULL'
  /** starting, stopping, paused or down → retry with a delay */
  | 'ERR_SERVER_UNAVAILABLE'
  /**
   * the server ended the connection and said why in words that nullpool does not know
   * → see the message
   */
  | 'ERR_SERVER'
  /** the other side is not Postgres, or breaks its protocol → check host and port */
  | 'ERR_PROTOCOL'
  // Working
  /** the connection ended → `retryable` says whether a statement can have run */
  | 'ERR_CONNECTION_LOST'
  /**
   * silence while an answer was due
   * → raise `queryTimeoutMs` or make the statement faster; the server was asked to stop it
   */
  | 'ERR_QUERY_TIMEOUT'
  /**
   * nobody went on with a cursor or a `COPY`
   * → do not await `sql` inside of a loop over a cursor: collect the rows first
   */
  | 'ERR_STREAM_IDLE'
  /**
   * a stream was not read, over a WebSocket, which cannot make the server wait
   * → read on without waiting, or ask for less at a time
   */
  | 'ERR_STREAM_OVERRUN'
  /**
   * a transaction stayed open without a statement
   * → inside `sql.begin(async (tx) => …)` use `tx`, not `sql`
   */
  | 'ERR_TRANSACTION_IDLE'
  /**
   * a statement waited `queryTimeoutMs` behind a transaction of the same request
   * → inside of a transaction, use the `sql` that it gives
   */
  | 'ERR_TRANSACTION_WAIT'
  /**
   * a statement on a transaction's `sql` after its end
   * → await every statement inside of the function given to `transaction()`
   */
  | 'ERR_TRANSACTION_OVER'
  /**
   * a failed statement whose error was caught, or a request without a response
   * → let the error through, or use `sql.savepoint()`; return a `Response`
   */
  | 'ERR_TRANSACTION_ROLLED_BACK'
  /**
   * a streamed response in a request that is a transaction
   * → collect the rows first, or leave the option `transaction` out on that route
   */
  | 'ERR_TRANSACTION_STREAM'
  /** a named prepared statement → leave its name out */
  | 'ERR_PREPARED_STATEMENT'
  /**
   * a statement that needs a session, such as `SET` or `LISTEN`
   * → the message says what to write instead: [session-state.md](session-state.md)
   */
  | 'ERR_SESSION_STATE'
  /**
   * claims that `as()` does not take, a statement that would change them, a Hyperdrive that may
   * cache
   * → pass a verified payload; the option `roles` lists the roles that it may name:
   * [row-level-security.md](row-level-security.md)
   */
  | 'ERR_CLAIMS'
  /** the client has gone, or a query's own signal → nothing */
  | 'ERR_ABORTED'
  /**
   * no connection of a [pool](stationary.md) became free within `acquireTimeoutMs`
   * → the message says who has them: shorten that, or raise `poolSize` or `maxOverflow`
   */
  | 'ERR_POOL_TIMEOUT'
  /**
   * a statement after `pool.close()`, or under way for longer than `drainTimeoutMs`
   * → close the pool last, once the server takes no more requests
   */
  | 'ERR_POOL_CLOSED'
  /**
   * a `sql` was used after its request, reservation or pooled transaction was over
   * → await it, or `c.var.db.hold(promise)`
   */
  | 'ERR_SCOPE_CLOSED'
  /**
   * a `sql` was used inside of another request
   * → take it from the context of the request at hand
   */
  | 'ERR_SCOPE_FOREIGN'
  // The gateway
  /**
   * the token is missing or is not the gateway's
   * → `NULLPOOL_GATEWAY_TOKEN`, `webSocketTransport({ token })`, `neon(url, { authToken })`, the
   * subprotocol `bearer.…` or `?token=`
   */
  | 'ERR_GATEWAY_TOKEN'
  /**
   * the target is not on the gateway's list, or its address is private
   * → add it to `targets`; a private address has to be listed by itself
   */
  | 'ERR_GATEWAY_TARGET'
  /** a request that is none of the protocol → the message says which part */
  | 'ERR_GATEWAY_REQUEST'
  /** as many connections as `maxConnections` allows → try again later, or raise it */
  | 'ERR_GATEWAY_LIMIT'
  /** a message or a body of more than `maxMessageBytes` → send less at once, or raise it */
  | 'ERR_GATEWAY_SIZE'
  /**
   * the body of a request to `/sql` stopped arriving, or took longer than `bodyTimeoutMs`; in events also an
   * answer that its client did not read
   * → send and read without pauses, or raise the option
   */
  | 'ERR_GATEWAY_TIMEOUT'
  /** rows of more than `maxResultBytes` → ask for fewer rows, use a tunnel, or raise it */
  | 'ERR_RESULT_SIZE'

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
