import type { BackendLogin } from './strict-pooler-backend.ts'

export interface StrictPoolerOptions {
  /** A real Postgres; its role and database are the ones that need no further mention. */
  backend: BackendLogin
  /** What follows the last dot in a client's user name. */
  tenant?: string
  /** Passwords of further roles. Each has its own pool and logs in to Postgres as itself. */
  users?: Readonly<Record<string, string>>
  /** Answers `S` to an SSLRequest; without it `N`. PEM. */
  tls?: { key: string; cert: string }
  /** Refuses clients without TLS: `(ESSLREQUIRED)`. */
  requireTls?: boolean
  /** Backends for each role and database. */
  poolSize?: number
  /** Clients for each role and database. */
  maxClients?: number
  /** Supavisor's own: 60,000 (sv:tenants/user.ex:18). */
  checkoutTimeoutMs?: number
  /** Supavisor's own: 15,000 (sv:client_handler.ex:308). */
  authTimeoutMs?: number
  /** How long `wrong password` and `tenant not found` are held back. Supavisor's own: 500. */
  errorDelayMs?: number
  /** Supavisor's own: 10 in 150 s; here for the life of the model. Unlimited unless set. */
  maxAuthFailures?: number
  /** Awaited between R0 and the ParameterStatus messages, when what a client sends is kept (725-727). */
  beforeGreeting?: () => Promise<void>
}

/** Counted since the start or the last reset. */
export interface StrictPoolerStats {
  /** Sockets open now. */
  clients: number
  maxClientsSeen: number
  /** Clients that have a backend now. */
  busy: number
  /** Logins that were greeted. */
  logins: number
  /** Pooled backends lost: their client left while it had them, or an `X` was forwarded. */
  backendsDestroyed: number
  /** The most ReadyForQuery messages that one client awaited at once. */
  maxOutstanding: number
  /** FunctionCall messages, which are answered by a ReadyForQuery too. */
  functionCalls: number
  /** Deliveries that came between R12 and `Z` and were kept for later (725-727). */
  postponed: number
  /** CancelRequests that were passed on. */
  cancels: number
  /** What a client did that Supavisor punishes, and what it lost by it. */
  violations: string[]
}

export function newStats(): StrictPoolerStats {
  return {
    clients: 0,
    maxClientsSeen: 0,
    busy: 0,
    logins: 0,
    backendsDestroyed: 0,
    maxOutstanding: 0,
    functionCalls: 0,
    postponed: 0,
    cancels: 0,
    violations: [],
  }
}

/** Options with every default in place. */
export type Settings = Required<
  Omit<StrictPoolerOptions, 'tls' | 'maxAuthFailures' | 'beforeGreeting' | 'users'>
> &
  Pick<StrictPoolerOptions, 'tls' | 'beforeGreeting'> & {
    users: ReadonlyMap<string, string>
    maxAuthFailures: number
  }

export function withDefaults(options: StrictPoolerOptions): Settings {
  return {
    tenant: 'model',
    requireTls: false,
    poolSize: 2,
    maxClients: 200,
    checkoutTimeoutMs: 60_000,
    authTimeoutMs: 15_000,
    errorDelayMs: 0,
    maxAuthFailures: Number.POSITIVE_INFINITY,
    ...options,
    users: new Map([
      [options.backend.user, options.backend.password],
      ...Object.entries(options.users ?? {}),
    ]),
  }
}
