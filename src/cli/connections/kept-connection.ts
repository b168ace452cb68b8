import type { DatabaseOptions, Scope } from 'nullpool'
import type { ConnectionTarget } from '../../connection-target.ts'
import { NullpoolError, type NullpoolErrorCode } from '../../errors.ts'
import { CommandFailure } from '../failure.ts'

/** The longest time between two attempts to reach a server that is away, in milliseconds. */
const MAX_PAUSE_MS = 30_000

/** What no second attempt with the same credentials would change; some poolers lock a project after ten. */
const FINAL: readonly NullpoolErrorCode[] = [
  'ERR_AUTH_PASSWORD',
  'ERR_AUTH_METHOD',
  'ERR_AUTH_SERVER',
  'ERR_AUTH_BLOCKED',
  'ERR_DATABASE_UNKNOWN',
  'ERR_TENANT_UNKNOWN',
  'ERR_ACCESS_DENIED',
  'ERR_TLS_UNTRUSTED',
  'ERR_OPTIONS',
  'ERR_URL_INVALID',
]

/**
 * One connection that is kept from one look to the next, and opened again where it was lost.
 *
 * A login that was refused is never tried again: every later use fails with the same error at once. A server that
 * is away is asked again after 1, 2, 4 … up to 30 seconds.
 */
export class KeptConnection {
  readonly #options: DatabaseOptions
  #scope: Scope | undefined
  #worked = false
  #failures = 0
  #askAgainAt = 0
  #failure: unknown

  constructor(options: DatabaseOptions) {
    this.#options = options
  }

  /** Whether no further attempt is made. */
  get isOver(): boolean {
    return this.#askAgainAt === Number.POSITIVE_INFINITY
  }

  /** Whether the login has been taken, now or before. */
  get hasWorked(): boolean {
    return this.#worked
  }

  /** Runs some work, which only reads; once more where the connection had been lost meanwhile. */
  async use<Result>(work: (scope: Scope) => Promise<Result>): Promise<Result> {
    if (performance.now() < this.#askAgainAt) throw this.#failure
    const wasOpen = this.#scope !== undefined
    try {
      return await this.#once(work)
    } catch (error) {
      // What is asked only reads; a server that is too busy to answer is left alone.
      const mayRepeat = NullpoolError.is(error) && error.code !== 'ERR_QUERY_TIMEOUT'
      if (!(wasOpen && mayRepeat) || this.isOver) throw error
      this.#askAgainAt = 0
      return await this.#once(work)
    }
  }

  async close(): Promise<void> {
    const scope = this.#scope
    this.#scope = undefined
    await scope?.close()
  }

  async #once<Result>(work: (scope: Scope) => Promise<Result>): Promise<Result> {
    try {
      this.#scope ??= await openScope(this.#options)
      const result = await work(this.#scope)
      this.#worked = true
      this.#failures = 0
      return result
    } catch (thrown) {
      const error = withoutOutcome(thrown)
      // The server's own word about a statement is no reason to log in again.
      if (NullpoolError.is(error)) await this.#noteFailure(error)
      throw error
    }
  }

  async #noteFailure(error: NullpoolError): Promise<void> {
    this.#failure = error
    await this.close()
    const isFinal = FINAL.includes(error.code) || (!this.#worked && error.code === 'ERR_SERVER')
    const pauseMs = Math.min(1000 * 2 ** this.#failures++, MAX_PAUSE_MS)
    this.#askAgainAt = isFinal ? Number.POSITIVE_INFINITY : performance.now() + pauseMs
  }
}

/** What was only to read has no outcome, least of all where nobody was let in. */
function withoutOutcome(error: unknown): unknown {
  const isTold = NullpoolError.is(error) && error.outcome !== undefined
  return isTold && NullpoolError.is(error.cause) ? error.cause : error
}

/** Loaded when it is needed: it needs postgres.js, which whoever calls another command may not have. */
async function openScope(options: DatabaseOptions): Promise<Scope> {
  const { createDatabase } = await import('nullpool').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new CommandFailure('This needs the driver beside it: npm install postgres')
  })
  // What there is to say of the string the command says itself.
  return createDatabase({ onEvent: () => undefined, ...options }).scope({})
}

/** The same target, with another database or a name for whoever looks at `pg_stat_activity`. */
export function connectionUrl(
  target: ConnectionTarget,
  { database = target.database, application = 'nullpool connections' } = {},
): string {
  const { host, user } = target
  const secret = encodeURIComponent(target.revealPassword())
  const at = host.includes(':') ? `[${host}]` : host
  const parameters = new URLSearchParams({
    application_name: target.applicationName ?? application,
    ...(target.sslMode && { sslmode: target.sslMode }),
    ...(target.sslNegotiation && { sslnegotiation: target.sslNegotiation }),
  })
  // A form's plus would be a plus in the name.
  const query = `${parameters}`.replaceAll('+', '%20')
  return `postgres://${encodeURIComponent(user)}:${secret}@${at}:${target.port}/${encodeURIComponent(database)}?${query}`
}
