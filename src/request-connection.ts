import { runtime } from '#runtime'
import { type Claims, claimSettings, type Identity, identityOf } from './claims.ts'
import { type ConnectionPlan, planConnection } from './connection-plan.ts'
import type { NullpoolError } from './errors.ts'
import type { NullpoolEvent, Settings } from './options.ts'
import { type ClientUsage, RequestClients } from './request-clients.ts'
import type { ScopeContext, ScopeMetrics } from './scope.ts'
import type { ScopeConnection } from './scope-connection.ts'
import { aborted, cancelledInVain, foreignScope, scopeClosed } from './scope-refusals.ts'
import type { Flight } from './wire/flight.ts'
import { Meter } from './wire/meter.ts'
import type { SessionSource } from './wire/session-source.ts'
import { Upstream } from './wire/upstream.ts'

/** The request that the code at hand answers. */
const current = runtime.createContext<RequestConnection>()

/** How long a response of unknown making may go on querying after its last statement. */
const LATE_USE_MS = 30_000

/** What is nearly done when the client leaves costs less to finish than to cancel. */
const CANCEL_AFTER_MS = 100

/** How long such a response keeps an idle connection, once it has needed a second one. */
const LINGER_MS = 1_000

/** A pool that lends a connection for the length of a request. */
export interface ConnectionLender {
  readonly plan: ConnectionPlan
  readonly sessions: SessionSource
  readonly usage: ClientUsage
  /** The request is over and has given back what it had. */
  ended(): void
}

/** The connection of one request and its life: serving, then draining, then over. */
export class RequestConnection implements ScopeConnection {
  readonly origin: unknown = this
  readonly #settings: Settings
  readonly #context: ScopeContext
  readonly #lender: ConnectionLender | undefined
  readonly #parent = current.get()
  readonly #meter = new Meter()
  #plan: ConnectionPlan | undefined
  #clients: RequestClients | undefined
  #upstream: Upstream | undefined
  #stage: 'serving' | 'draining' | 'lingering' | 'over' = 'serving'
  /** Whether the runtime tells what runs in here. */
  #isFollowed = false
  #holds = 0
  #lastUse = 0
  #closing: Promise<void> | undefined
  #closed: (() => void) | undefined

  constructor(settings: Settings, context: ScopeContext, lender?: ConnectionLender) {
    this.#settings = settings
    this.#context = context
    this.#lender = lender
    this.#plan = lender?.plan
    if (settings.eager) this.#openEarly()
  }

  get closeTimeoutMs(): number {
    return this.#settings.closeTimeoutMs
  }

  get queryTimeoutMs(): number {
    return this.#settings.queryTimeoutMs
  }

  get metrics(): ScopeMetrics {
    const { connects, roundTrips, queries, bytesSent, bytesReceived } = this.#meter
    const { connectMs, firstRowMs, queryMs } = this.#meter
    return {
      ...{ connects, roundTrips, queries, bytesSent, bytesReceived },
      ...{ connectMs, firstRowMs, queryMs },
    }
  }

  /**
   * Runs `work` so that statements of other requests' scopes are refused in it.
   *
   * @param isWhole - Whether the scope is over for everybody else once the request is.
   */
  run<T>(work: () => T, isWhole = true): T {
    return current.run(this, () => {
      this.#isFollowed = isWhole && current.get() === this
      return work()
    })
  }

  /** Keeps the request open until `promise` settles. */
  hold(promise: Promise<unknown>): void {
    this.admit()
    this.#holds += 1
    this.#waitUntil(promise)
    const release = (): void => {
      this.#holds -= 1
      this.#settle()
    }
    promise.then(release, (error: unknown) => {
      const name = error instanceof Error ? error.name : typeof error
      this.#warn('held-promise-rejected', `A promise given to hold() rejected (${name}).`)
      release()
    })
  }

  /** A query goes on although it was to be cancelled: what runs is given up. */
  giveUp(): void {
    void this.#end(cancelledInVain, 0)
  }

  /**
   * The handler has returned: the connection closes once nothing uses it.
   *
   * @param lateUse - Whether the response may query later without our knowing its end.
   */
  finish(lateUse = false): void {
    if (this.#stage !== 'serving') return
    this.#stage = lateUse ? 'lingering' : 'draining'
    this.#lastUse = Date.now()
    // A client that has its answer gives nothing up, and Deno aborts the signal of every answered request.
    if (!lateUse) this.#context.signal?.removeEventListener('abort', this.#onAbort)
    this.#settle()
  }

  /** The request is over: what waits fails. */
  close(): Promise<void> {
    return this.#end(scopeClosed)
  }

  /** The client has gone: what runs is cancelled, then everything is closed. */
  abort(): Promise<void> {
    return this.#end(aborted, CANCEL_AFTER_MS)
  }

  #end(failure: (mayHaveRun: boolean) => NullpoolError, cancelAfterMs?: number): Promise<void> {
    this.#stage = 'over'
    const mayHaveRun = this.#upstream?.running ?? false
    this.#context.signal?.removeEventListener('abort', this.#onAbort)
    this.#closing ??=
      this.#upstream?.close(() => failure(mayHaveRun), cancelAfterMs) ?? Promise.resolve()
    void this.#closing.then(() => this.#lender?.ended())
    return this.#closing
  }

  #onAbort = (): void => {
    // Work behind a response does not need its client.
    if (this.#stage === 'lingering' && this.#holds > 0) return this.#drain()
    void this.abort()
  }

  #drain(): void {
    this.#stage = 'draining'
    this.#settle()
  }

  /** Refuses statements of a request that is over, and of requests that do not own this scope. */
  admit(): void {
    const running = current.get()
    // A scope may be made inside of another's request, and either may be used there.
    if (running && !running.#descendsFrom(this) && !this.#descendsFrom(running)) {
      throw foreignScope()
    }
    // What has begun in here may go on; for everybody else this is over.
    const isInside = running ? running.#descendsFrom(this) : !this.#isFollowed
    if (this.#stage === 'draining' && !isInside && this.#holds === 0) throw scopeClosed(false)
    if (this.#stage === 'lingering' && Date.now() - this.#lastUse > LATE_USE_MS) void this.close()
    this.#lastUse = Date.now()
    if (this.#stage === 'over')
      throw this.#context.signal?.aborted ? aborted(false) : scopeClosed(false)
  }

  #descendsFrom(scope: RequestConnection): boolean {
    if (this === scope) return true
    return this.#parent ? this.#parent.#descendsFrom(scope) : false
  }

  /** For whom statements run, with the settings that somebody wants beside. */
  identify(claims: Claims | null | undefined, settings: Record<string, string>): Identity {
    return identityOf(claimSettings(claims, this.#settings), settings)
  }

  /** What makes clients on this connection. */
  get clients(): RequestClients {
    if (this.#clients) return this.#clients
    const plan = this.#planned()
    const warn = (code: string, message: string): void => this.#warn(code, message)
    const connect = (): Upstream => this.#connection()
    this.#clients = new RequestClients(this.#settings, plan, connect, warn, this.#lender?.usage)
    return this.#clients
  }

  #planned(): ConnectionPlan {
    this.#plan ??= planConnection(this.#settings, this.#context.env, runtime)
    return this.#plan
  }

  #connection(): Upstream {
    if (this.#upstream) return this.#upstream
    const { connectTimeoutMs, connectRetries, queryTimeoutMs, closeTimeoutMs } = this.#settings
    const { route, credentials, warnings } = this.#planned()
    if (!this.#lender)
      for (const { code, message, fix } of warnings) this.#warn(code, `${message} ${fix}`)
    const limits = { connectTimeoutMs, connectRetries, queryTimeoutMs, closeTimeoutMs }
    const upstream = new Upstream(
      { route, credentials, ...limits, meter: this.#meter, sessions: this.#lender?.sessions },
      {
        opening: () => this.#opening(),
        opened: (durationMs) => this.#emitOwn({ type: 'connect', ...route.address, durationMs }),
        background: (work) => this.#waitUntil(work),
        closed: (error) => this.#disconnected(error),
        idle: () => this.#settle(),
        answered: (flight) => this.#answered(flight),
      },
    )
    this.#upstream = upstream
    const { signal } = this.#context
    if (this.#stage === 'over') void upstream.close(() => scopeClosed(false))
    else if (this.#stage === 'draining') return upstream
    else if (signal?.aborted) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort)
    return upstream
  }

  #openEarly(): void {
    try {
      this.#connection().open()
    } catch {
      // Whatever is wrong with the connection string is told where it is wanted: by the first query.
    }
  }

  #answered({ queries, startedAt, firstRowAt }: Flight): void {
    const durationMs = Date.now() - startedAt
    const firstRowMs = (firstRowAt ?? Date.now()) - startedAt
    this.#meter.queryMs += durationMs
    this.#meter.firstRowMs ||= firstRowMs
    this.#settings.emit({ type: 'query', queries, durationMs, firstRowMs })
  }

  /** From the first byte on the platform has to wait for the goodbye. */
  #opening(): void {
    this.#waitUntil(
      new Promise<void>((resolve) => {
        this.#closed = resolve
      }),
    )
  }

  #disconnected(error: NullpoolError | undefined): void {
    this.#closed?.()
    this.#closed = undefined
    this.#emitOwn(error ? { type: 'close', error: error.code } : { type: 'close' })
  }

  /** Closes once nothing of the request uses the connection. */
  #settle(): void {
    if (this.#stage === 'draining' && this.#holds === 0) this.#upstream?.hurry()
    if (!this.#resting()) return
    // Whoever got the last answer has until the next turn of the event loop to ask again; a response
    // that has come back once will do so again.
    const cameBack = this.#stage === 'lingering' && this.#meter.connects > 1
    setTimeout(
      () => {
        if (!this.#resting()) return
        if (this.#stage === 'draining') void this.close()
        else void this.#upstream?.release()
      },
      cameBack ? LINGER_MS : 0,
    )
  }

  #resting(): boolean {
    if (this.#stage !== 'draining' && this.#stage !== 'lingering') return false
    // A transaction of a late body may await something else; its own deadline bounds it.
    if (this.#stage === 'lingering' && this.#upstream?.inTransaction) return false
    return this.#holds === 0 && !this.#upstream?.busy
  }

  #waitUntil(promise: Promise<unknown>): void {
    try {
      const { waitUntil } = this.#context
      if (waitUntil) waitUntil(promise)
      else runtime.waitUntil?.(promise)
    } catch {
      // Too late in the life of the request for the platform; the close is bounded all the same.
    }
  }

  /** What a pool lends it opens and closes, and tells of. */
  #emitOwn(event: NullpoolEvent): void {
    if (!this.#lender) this.#settings.emit(event)
  }

  #warn(code: string, message: string): void {
    this.#settings.emit({ type: 'warning', code, message })
  }
}
