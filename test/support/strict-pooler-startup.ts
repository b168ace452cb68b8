import { message } from './wire-messages.ts'

/** What the model says before it closes: `(ECODE) text`, sv:error.ex:69-85. */
export class PoolerError extends Error {
  override readonly name: string = 'PoolerError'
  readonly sqlState: string
  /** Supavisor holds back two answers for 500 ms (sv:client_handler/error.ex:12-15,41-43). */
  readonly delayed: boolean

  constructor(text: string, options: { sqlState?: string; delayed?: boolean } = {}) {
    super(text)
    this.sqlState = options.sqlState ?? 'XX000'
    this.delayed = options.delayed ?? false
  }

  /** Fields sorted by letter and no `V`, as `Server.encode_error_message` writes them. */
  toMessage(): Buffer {
    return errorMessage({ C: this.sqlState, M: this.message, S: 'FATAL' })
  }
}

/** An ErrorResponse with these fields in this order. */
export function errorMessage(fields: Record<string, string>): Buffer {
  const text = Object.entries(fields).map(([letter, value]) => `${letter}${value}\0`)
  return message('E', Buffer.from(`${text.join('')}\0`))
}

/** sv:protocol.ex:7 */
export const MAX_STARTUP_BYTES = 1024

export const poolerErrors = {
  startup: (reason: 'bad_startup_payload' | 'missing_user'): PoolerError =>
    new PoolerError(`(ESTARTUPMESSAGE) Invalid startup message: :${reason}`, { sqlState: '08P01' }),
  startupTooLarge: (bytes: number): PoolerError =>
    new PoolerError(
      `(ESTARTUPPACKETTOOLARGE) Startup packet too large: ${bytes} bytes (max ${MAX_STARTUP_BYTES} bytes)`,
      { sqlState: '08P01' },
    ),
  userInfo: (): PoolerError =>
    new PoolerError(
      '(EINVALIDUSERINFO) Authentication error, reason: "Invalid format for user or db_name"',
    ),
  noIdentifier: (): PoolerError =>
    new PoolerError(
      '(ENOIDENTIFIER) no tenant identifier provided (external_id or sni_hostname required)',
    ),
  notFound: (role: string, tenant: string): PoolerError =>
    new PoolerError(`(ENOTFOUND) tenant/user ${role}.${tenant} not found`, { delayed: true }),
  tlsRequired: (role: string): PoolerError =>
    new PoolerError(`(ESSLREQUIRED) SSL connection is required for user: ${role}`),
  maxClients: (limit: number): PoolerError =>
    new PoolerError(`(EMAXCONN) max client connections reached, limit: ${limit}`),
  circuitBreaker: (): PoolerError =>
    new PoolerError(
      '(ECIRCUITBREAKER) too many authentication failures, new connections are temporarily blocked',
    ),
  unknownRole: (): PoolerError => new PoolerError('(EAUTHQUERY) user not found in the database'),
  wrongPassword: (role: string): PoolerError =>
    new PoolerError(`password authentication failed for user "${role}"`, {
      sqlState: '28P01',
      delayed: true,
    }),
  authProtocol: (): PoolerError =>
    new PoolerError('(EAUTHPROTOCOL) protocol violation during authentication', {
      sqlState: '08P01',
    }),
  authTimeout: (): PoolerError =>
    new PoolerError('(EAUTHTIMEOUT) timeout while waiting for message', { sqlState: '08006' }),
  checkoutTimeout: (milliseconds: number): PoolerError =>
    new PoolerError(
      `(ECHECKOUTTIMEOUT) unable to check out connection from the pool after ${milliseconds}ms in Transaction mode`,
    ),
  databaseUnreachable: (reason: string): PoolerError =>
    new PoolerError(`Failed to connect to database: ${reason}`, { sqlState: '08006' }),
} as const

/** Who the client says it is. */
export interface StartupUser {
  role: string
  tenant: string | undefined
  database: string | undefined
}

/**
 * Reads a whole delivery as a start-up packet.
 *
 * `decode_startup_packet` never looks at the length field (sv:protocol/client.ex:7-11), so whatever
 * is glued to the packet is read as more keys and values, and an odd number of fields is an error.
 * Keys that it does not know are ignored without a word (sv:client_handler/protocol_helpers.ex:73-85).
 */
export function decodeStartup(delivery: Buffer): StartupUser {
  if (delivery.length < 8) throw poolerErrors.startup('bad_startup_payload')
  const fields = delivery.toString('utf8', 8).replace(/\0+$/, '').split('\0')
  if (fields.length % 2 === 1) throw poolerErrors.startup('bad_startup_payload')
  const parameters = new Map<string, string>()
  for (let index = 0; index < fields.length; index += 2) {
    parameters.set(fields[index] ?? '', fields[index + 1] ?? '')
  }
  const user = parameters.get('user')
  if (user === undefined) throw poolerErrors.startup('missing_user')
  const options = (parameters.get('options') ?? '').replace(/%3D/gi, '=')
  const reference = /\breference=([^&\s]+)/.exec(options)
  const found = splitUser(user, reference?.[1], parameters.get('database'))
  if (!isName(found.role) || (found.database !== undefined && !isName(found.database))) {
    throw poolerErrors.userInfo()
  }
  return found
}

/** The tenant is `options=reference=…` or what follows the last dot (handler_helpers.ex:41-62). */
function splitUser(
  user: string,
  reference: string | undefined,
  database: string | undefined,
): StartupUser {
  if (reference !== undefined) return { role: user, tenant: reference, database }
  const dot = user.lastIndexOf('.')
  if (dot < 0) return { role: user, tenant: undefined, database }
  return { role: user.slice(0, dot), tenant: user.slice(dot + 1), database }
}

/** `Helpers.validate_name`: 1 to 63 printable bytes. */
function isName(name: string): boolean {
  const bytes = Buffer.byteLength(name)
  return bytes >= 1 && bytes <= 63 && !/\p{C}/u.test(name)
}
