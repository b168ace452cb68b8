import { postgresDriver } from '#driver'
import { runtime } from '#runtime'
import { DEFAULT_ANONYMOUS_ROLE, DEFAULT_ROLES, type RoleRules } from './claims.ts'
import type { Driver } from './drivers/driver.ts'
import { NullpoolError, type NullpoolErrorCode } from './errors.ts'
import type { GuardMode } from './guard/guard.ts'
import { warnOnConsole } from './warn-on-console.ts'
import type { Transport } from './wire/transport.ts'

/** Which pooler is behind the connection string. */
export type Pooler = 'auto' | 'supavisor' | 'pgbouncer' | 'postgres' | 'neon' | 'hyperdrive'

/** How the connection is protected. */
export type Tls = 'verify' | 'disable' | { ca?: string; serverName?: string }

/** What a request does with its connection, for logs and metrics. Durations are in milliseconds. */
export type NullpoolEvent =
  | { type: 'connect'; host: string; port: number; durationMs: number }
  | { type: 'query'; queries: number; durationMs: number; firstRowMs: number }
  | { type: 'close'; error?: NullpoolErrorCode }
  | { type: 'warning'; code: string; message: string }

/** What {@link createDatabase} takes. Everything has a default. */
export interface DatabaseOptions {
  /**
   * The connection string, or where to find it among the bindings of a request. Without it, the first
   * of a Hyperdrive binding, `DATABASE_URL`, `POSTGRES_URL` and `SUPABASE_DB_URL`.
   */
  url?: string | ((env: unknown) => string | undefined)
  /**
   * Which pooler answers, where its host does not tell. @default 'auto'
   */
  pooler?: Pooler
  /**
   * `'verify'` checks the server's certificate; an object does so with a root certificate in PEM or
   * another name. `'disable'` sends password and rows in clear. @default 'verify', to loopback hosts 'disable'
   */
  tls?: Tls
  /** `'eager'` connects when the scope is made, for routes that always query. @default 'lazy' */
  connect?: 'lazy' | 'eager'
  /** From the first byte to the first possible query, in milliseconds. @default 10000 */
  connectTimeoutMs?: number
  /**
   * How often a pooler that is full is asked again, after 50 to 250 ms at random and within
   * `connectTimeoutMs`; nothing else is tried twice, and no statement ever is. A limit of a role or a database
   * of Postgres's own is told behind the login, when the first statement has left: that is not tried again
   * either, but its error is `retryable`. @default 1
   */
  connectRetries?: number
  /** How long the server may be silent while an answer is due, in milliseconds. @default 30000 */
  queryTimeoutMs?: number
  /** How long closing may take before the socket is dropped, in milliseconds. @default 1000 */
  closeTimeoutMs?: number
  /**
   * Roles that requests may have, in `as(claims)`: a claim that names another one is refused.
   * @default ['anon', 'authenticated']
   */
  roles?: readonly string[]
  /**
   * The role of requests without claims, and of claims that name none. It has to be one of `roles`.
   * @default 'anon'
   */
  anonymousRole?: string
  /**
   * Hyperdrive keeps the rows of a query for everybody who sends the same text. `false` says that this is
   * turned off for the binding at hand; without it, `as(claims)` refuses the binding.
   */
  hyperdriveCaching?: false
  /**
   * What becomes of statements that need a session, such as `SET`, `LISTEN` or `pg_advisory_lock`, and that
   * a transaction-mode pooler would let somebody else feel. It looks for accidents and is no boundary of
   * security. @default 'throw' behind such a pooler, 'warn' where it is not known, 'off' elsewhere
   */
  guard?: GuardMode
  /** Bytes to the server. @default the runtime's own TCP and TLS */
  transport?: Transport
  /** The client behind `sql`. @default postgresDriver() */
  driver?: Driver
  /**
   * Told what happens; what it throws is ignored. Never sees the value of a parameter. Without it, warnings of
   * nullpool's own are written to the console, once for each code in a process or an isolate.
   */
  onEvent?: (event: NullpoolEvent) => void
}

/** Options with their defaults filled in. */
export interface Settings {
  url: DatabaseOptions['url']
  pooler: Pooler
  tls: Tls | undefined
  eager: boolean
  connectTimeoutMs: number
  connectRetries: number
  queryTimeoutMs: number
  closeTimeoutMs: number
  roles: readonly string[]
  anonymousRole: string
  hyperdriveCaching: boolean
  guard: GuardMode | undefined
  transport: Transport
  driver: Driver
  emit: (event: NullpoolEvent) => void
}

const POOLERS = ['auto', 'supavisor', 'pgbouncer', 'postgres', 'neon', 'hyperdrive'] as const

const GUARD_MODES = ['throw', 'warn', 'off'] as const

/** Each option, and whether a value of it will do. */
const OPTIONS: Record<keyof DatabaseOptions, { fits: (value: unknown) => boolean; takes: string }> =
  {
    url: { fits: (value) => isText(value) || isFunction(value), takes: 'a text or a function' },
    pooler: { fits: oneOf(POOLERS), takes: list(POOLERS) },
    tls: { fits: isTls, takes: "'verify', 'disable' or { ca, serverName }" },
    connect: { fits: oneOf(['lazy', 'eager']), takes: "'lazy' or 'eager'" },
    connectTimeoutMs: { fits: isDuration, takes: 'milliseconds, from 1 to 2147483647' },
    connectRetries: { fits: isRetries, takes: 'a whole number from 0 to 10' },
    queryTimeoutMs: { fits: isDuration, takes: 'milliseconds, from 1 to 2147483647' },
    closeTimeoutMs: { fits: isDuration, takes: 'milliseconds, from 1 to 2147483647' },
    roles: { fits: areRoles, takes: 'a list of names of roles' },
    anonymousRole: { fits: isRole, takes: 'the name of a role' },
    hyperdriveCaching: { fits: (value) => value === false, takes: 'false' },
    guard: { fits: oneOf(GUARD_MODES), takes: list(GUARD_MODES) },
    transport: { fits: hasMethod('connect'), takes: 'an object with connect()' },
    driver: { fits: hasMethod('createClient'), takes: 'an object with createClient()' },
    onEvent: { fits: isFunction, takes: 'a function' },
  }

/** Checks the options and fills in the defaults; the only place that knows them. */
export function resolveOptions(options: DatabaseOptions): Settings {
  if (Object.prototype.toString.call(options) !== '[object Object]') {
    throw new NullpoolError('ERR_OPTIONS', 'The options are an object.', {
      hint: "Pass a connection string as { url: '…' }.",
    })
  }
  for (const [name, value] of Object.entries(options)) checkOption(name, value)
  const { onEvent } = options
  const { roles, anonymousRole } = resolveRoles(options)
  return {
    url: options.url,
    pooler: options.pooler ?? 'auto',
    tls: options.tls,
    eager: options.connect === 'eager',
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    connectRetries: options.connectRetries ?? 1,
    queryTimeoutMs: options.queryTimeoutMs ?? 30_000,
    closeTimeoutMs: options.closeTimeoutMs ?? 1_000,
    roles,
    anonymousRole,
    hyperdriveCaching: options.hyperdriveCaching ?? true,
    guard: options.guard,
    transport: options.transport ?? runtime.transport,
    driver: options.driver ?? postgresDriver(),
    emit: onEvent ? (event) => emitQuietly(onEvent, event) : warnOnConsole,
  }
}

function resolveRoles(options: DatabaseOptions): RoleRules {
  const { roles = DEFAULT_ROLES, anonymousRole = DEFAULT_ANONYMOUS_ROLE } = options
  if (roles.includes(anonymousRole)) return { roles: [...roles], anonymousRole }
  const message = `The option roles does not list ${anonymousRole}, the role of requests without claims.`
  throw new NullpoolError('ERR_OPTIONS', message, {
    hint: 'Add it to roles, or name the one of them that is for nobody with anonymousRole.',
  })
}

function checkOption(name: string, value: unknown): void {
  if (!Object.hasOwn(OPTIONS, name)) {
    throw new NullpoolError('ERR_OPTIONS', `There is no option ${name}.`, {
      hint: `The options are ${Object.keys(OPTIONS).join(', ')}.`,
    })
  }
  const option = OPTIONS[name as keyof DatabaseOptions]
  if (value === undefined || option.fits(value)) return
  throw new NullpoolError('ERR_OPTIONS', `The option ${name} takes ${option.takes}.`)
}

function emitQuietly(onEvent: (event: NullpoolEvent) => void, event: NullpoolEvent): void {
  // A broken listener must not break a request, whether it throws or rejects.
  try {
    Promise.resolve(onEvent(event)).catch(() => undefined)
  } catch {}
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

function isDuration(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 2_147_483_647
}

function isRetries(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 10
}

/** Postgres keeps 63 bytes of a name. */
function isRole(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value !== 'none' && value.length <= 63
}

function areRoles(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isRole)
}

function oneOf(values: readonly string[]): (value: unknown) => boolean {
  return (value) => typeof value === 'string' && values.includes(value)
}

function list(values: readonly string[]): string {
  return values.map((value) => `'${value}'`).join(', ')
}

function hasMethod(name: string): (value: unknown) => boolean {
  return (value) =>
    typeof value === 'object' && value !== null && isFunction(Reflect.get(value, name))
}

function isTls(value: unknown): boolean {
  if (value === 'verify' || value === 'disable') return true
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.entries(value).every(
    ([name, part]) =>
      (name === 'ca' || name === 'serverName') && (part === undefined || isText(part)),
  )
}
