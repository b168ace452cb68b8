import { NullpoolError, type NullpoolErrorCode, ServerError } from '../errors.ts'
import { gatewayRefusal } from './gateway-refusal.ts'
import { type ErrorFields, readErrorFields } from './messages.ts'

/**
 * What servers and poolers say when they refuse, as codes of ours.
 *
 * Supavisor is recognised by its `(E…)` token, PgBouncer by text (its SQLSTATE is 08P01 for nearly
 * everything), Postgres by SQLSTATE. The first rule that fits wins.
 */
interface Rule {
  token?: RegExp
  text?: RegExp
  sqlState?: RegExp
  code: NullpoolErrorCode
  message: string
  hint?: string
  /** Worth another try, where it is certain that no statement of the user's ran. */
  retryable?: boolean
  /** Said in the place of running the statement under way. */
  insteadOfRunning?: boolean
}

const PASSWORD_HINT =
  'Check user and password of the connection string; special characters in the password must be percent-encoded. Do not retry: Supabase locks a project for two minutes after ten failures.'

const DATABASE_FULL = {
  code: 'ERR_POOLER_FULL',
  message: 'The database accepts no more connections.',
  hint: 'Connect through the transaction-mode pooler (port 6543), or lower the pool sizes: together they must stay under max_connections, and under the CONNECTION LIMIT of role and database.',
  retryable: true,
} as const

const RULES: readonly Rule[] = [
  {
    token: /^EMAXCONNSESSION$/,
    text: /MaxClientsInSessionMode/,
    code: 'ERR_POOLER_SESSION_FULL',
    message: 'Every connection of the session-mode pooler is taken.',
    hint: 'Use the transaction-mode port 6543 in the connection string instead of 5432.',
  },
  // In words that poolers have too; in other languages it is known by its SQLSTATE.
  {
    text: /^too many connections for |remaining connection slots|too many clients/i,
    ...DATABASE_FULL,
  },
  {
    token: /^EMAX(CONN|POOLSREACHED)$/,
    text: /Max client connections reached|no more connections allowed|client connections exceeded|too many (tcp connections|active clients|connections)|Failed to acquire permit/i,
    code: 'ERR_POOLER_FULL',
    message: 'The pooler accepts no more client connections.',
    hint: 'Close connections when a request ends, raise the client limit of the pooler (max_client_conn, compute size), or retry with a delay.',
    retryable: true,
  },
  {
    token: /^E(CHECKOUT.*|POOLCHECKOUT)$/,
    text: /unable to check out process from the pool|^query_wait_timeout$|could not get connection from the pool|checkout failure limit/i,
    code: 'ERR_POOLER_FULL',
    message: 'The pooler had no free database connection in time; the statement did not run.',
    hint: 'Shorten transactions, or raise the pool size (40 % of max_connections beside the Data API, up to 80 % without it).',
    retryable: true,
    insteadOfRunning: true,
  },
  {
    text: /failed to retrieve database credentials|^Circuit breaker open: (get_secrets|db_connection)/,
    code: 'ERR_SERVER_UNAVAILABLE',
    message: 'The pooler cannot get what it needs from the database, and does not try for a while.',
    hint: 'It tries again after 30 seconds; if it stays, check that the project is not paused and the database takes connections.',
    retryable: true,
  },
  {
    token: /^ECIRCUITBREAKER$/,
    text: /^Circuit breaker open/,
    code: 'ERR_AUTH_BLOCKED',
    message: 'The pooler blocks new connections after too many failed ones.',
    hint: 'Correct the password wherever it is wrong, then wait two minutes.',
  },
  {
    token: /^E(NOTFOUND|NOIDENTIFIER|INVALIDUSERINFO)$/,
    text: /^Tenant or user not found|Endpoint ID is not specified|endpoint (cannot be found|is disabled)|^No pool configured for database/,
    code: 'ERR_TENANT_UNKNOWN',
    message: 'The pooler does not know this project or user.',
    hint: 'Copy host and user from the dashboard: the user is <role>.<project ref> and the host (aws-0, aws-1, …) cannot be guessed; a paused project is unknown too.',
  },
  {
    token: /^ESSLREQUIRED$/,
    text: /SSL (connection )?(is )?required/i,
    code: 'ERR_TLS_REQUIRED',
    message: 'The server accepts TLS connections only.',
    hint: "Set tls to 'verify' and remove sslmode=disable from the connection string.",
  },
  {
    token: /^ESSLHANDSHAKE$/,
    code: 'ERR_TLS_FAILED',
    message: 'The pooler gave up the TLS handshake.',
    hint: 'Check that host and port are those of the pooler, then retry.',
    retryable: true,
  },
  {
    text: /^received unencrypted data after SSL request/,
    code: 'ERR_TLS_FAILED',
    message: 'The pooler got bytes in clear where the TLS handshake belongs.',
    hint: 'Something on the way adds bytes or joins messages: connect without a TCP proxy in between.',
  },
  {
    text: /^client sent partial pkt in startup phase/,
    code: 'ERR_PROTOCOL',
    message: 'The pooler got a part of the first message only.',
    hint: 'Something on the way cuts messages: connect without a TCP proxy in between, and shorten application_name in the connection string.',
  },
  {
    sqlState: /^(25P03|25P04|57P05)$/,
    code: 'ERR_CONNECTION_LOST',
    message: 'The server ended the connection: a time limit of its own has passed.',
    hint: 'That is idle_in_transaction_session_timeout, transaction_timeout or idle_session_timeout of the role or the database. Keep calls to other services out of transactions.',
  },
  {
    token: /^E(AUTHPROTOCOL|STARTUP[A-Z]*)$/,
    text: /unsupported startup parameter/i,
    code: 'ERR_SERVER',
    message: 'The server refused the way in which the connection was begun.',
    hint: "Set the option pooler to the kind of server that answers ('supavisor', 'pgbouncer', 'postgres', 'neon').",
  },
  {
    token:
      /^E(AUTHSECRETS|AUTHTIMEOUT|POOLTERMINATING|DBHANDLEREXITED|SUBSCRIBERETRIES|WORKERNOTFOUND)$/,
    text: /server login has been failing|shutting down|client_login_timeout|terminating connection|^Failed to connect to database|Couldn't connect to compute node|temporarily unavailable|Pool down|database system is|failed to (get|connect to) remote server|auth(entication query|_query (secret check|connection)) (failed|timed out)|reconnect with fresh credentials/i,
    sqlState: /^57P0[1-5]$/,
    code: 'ERR_SERVER_UNAVAILABLE',
    message: 'The database is down, starting or going away.',
    hint: 'Retry with a delay; if it stays, check that the project is not paused and the database runs.',
    retryable: true,
  },
  {
    token: /^EAUTHQUERY$/,
    text: /password authentication failed|SASL authentication failed|^no such user|^auth failed/i,
    sqlState: /^28P01$/,
    code: 'ERR_AUTH_PASSWORD',
    message: 'The server refused user or password.',
    hint: PASSWORD_HINT,
  },
  {
    token: /^E(ADDRNOTALLOWED|BANNED)$/,
    text: /This IP address \S+ is not allowed/,
    sqlState: /^28000$/,
    code: 'ERR_ACCESS_DENIED',
    message: 'The server does not let this user connect from here.',
    hint: 'Check the network restrictions of the project, or pg_hba.conf.',
  },
  {
    text: /^no such database|^database ".*" (does not exist|is disabled)/,
    sqlState: /^3D000$/,
    code: 'ERR_DATABASE_UNKNOWN',
    message: 'The server has no such database.',
    hint: 'Check the path of the connection string, the part behind host and port; on Supabase it is /postgres.',
  },
  { sqlState: /^53300$/, ...DATABASE_FULL },
  {
    token: /^E(PREPARED|MAXPREPARED|PSSIMPLEQUERY)/,
    text: /^prepared statement (did not exist|name is already in use)/,
    code: 'ERR_PREPARED_STATEMENT',
    message: 'The pooler keeps no prepared statements.',
    hint: 'Leave out PREPARE and EXECUTE, and the names of statements (prepare: false).',
  },
  {
    text: /^(query_timeout|pool statement timeout)$/,
    code: 'ERR_QUERY_TIMEOUT',
    message: 'The pooler gave the statement up.',
    hint: 'Make the statement faster, or raise query_timeout of the pooler.',
  },
  {
    text: /^(client_idle_timeout|server conn crashed\?)$/,
    code: 'ERR_CONNECTION_LOST',
    message: 'The pooler closed the connection.',
    hint: 'Send the request again; if it stays, look at client_idle_timeout and the log of the pooler.',
    retryable: true,
  },
]

/**
 * The error for a refusal that ends a connection.
 *
 * @param mayHaveRun - Whether a statement was already under way, which makes any retry unsafe.
 * @param inTransaction - Whether others of its transaction ran before it.
 */
export function serverFailure(
  fields: ErrorFields,
  mayHaveRun: boolean,
  inTransaction = true,
): NullpoolError {
  const refusal = gatewayRefusal(fields, mayHaveRun)
  if (refusal) return refusal
  const cause = new ServerError(fields.severity, fields.sqlState, fields.message)
  const rule = RULES.find((candidate) => fits(candidate, fields))
  if (!rule) {
    return new NullpoolError('ERR_SERVER', `The server ended the connection: ${fields.message}.`, {
      cause,
    })
  }
  return new NullpoolError(rule.code, `${rule.message} It said: ${fields.message}.`, {
    cause,
    hint: rule.hint,
    retryable:
      rule.retryable === true &&
      (!mayHaveRun || (rule.insteadOfRunning === true && !inTransaction)),
  })
}

/** Throws for an ErrorResponse that speaks about the connection; see {@link serverFailure}. */
export function throwIfFatal(
  message: Uint8Array,
  mayHaveRun: boolean,
  inTransaction: boolean,
): void {
  const fields = readErrorFields(message)
  if (endsConnection(fields)) throw serverFailure(fields, mayHaveRun, inTransaction)
}

/** Whether an ErrorResponse speaks about the connection and not about a statement. */
export function endsConnection(fields: ErrorFields): boolean {
  return fields.severity === 'FATAL' || fields.severity === 'PANIC' || tokenOf(fields) !== undefined
}

function fits(rule: Rule, fields: ErrorFields): boolean {
  const token = tokenOf(fields)
  if (token !== undefined && rule.token?.test(token)) return true
  if (rule.text?.test(fields.message)) return true
  return token === undefined && (rule.sqlState?.test(fields.sqlState) ?? false)
}

/** Supavisor's `(ECODE) text`, with SQLSTATE XX000 or 08…; a user's own `raise` has other states. */
function tokenOf(fields: ErrorFields): string | undefined {
  // Postgres names the routine that raised an error, also where a user's function says what a pooler does.
  if (fields.routine || !/^(XX000|08...|26000|42P05)$/.test(fields.sqlState)) return undefined
  const token = /^\((E[A-Z]+)\)/.exec(fields.message)?.[1] ?? ''
  return RULES.some((rule) => rule.token?.test(token)) ? token : undefined
}
