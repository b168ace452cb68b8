import { runtime } from '#runtime'
import { type ConnectionPlan, planConnection } from '../connection-plan.ts'
import { RequestConnection } from '../request-connection.ts'
import type { ScopeContext } from '../scope.ts'
import { settledWithin } from '../wire/deadline.ts'
import { Lease, usageOf, type WorkKind } from './lease.ts'
import { poolClosed } from './pool-failures.ts'
import { PoolLane } from './pool-lane.ts'
import type { PoolSettings } from './pool-options.ts'
import { SessionPool } from './session-pool.ts'

/** How the connections of a pool are used at the moment. */
export interface PoolStats {
  /** Connections that are open, being opened or being closed: never more than `poolSize` and `maxOverflow`. */
  readonly size: number
  /** Connections that nobody uses. */
  readonly idle: number
  /** Connections beyond `poolSize`. */
  readonly overflow: number
  /** Pieces of work that wait for a connection. */
  readonly waiting: number
}

/** The work of a pool: what is under way, and how it ends. */
export class PoolCore {
  readonly settings: PoolSettings
  #plan: ConnectionPlan | undefined
  #sessions: SessionPool | undefined
  #working = new Set<{ close(): void }>()
  #idleTimer: ReturnType<typeof setTimeout> | undefined
  #ending = false
  #closing: Promise<void> | undefined
  #finished: (() => void) | undefined
  #released: (() => void)[] = []

  constructor(settings: PoolSettings) {
    this.settings = settings
  }

  /** @throws {NullpoolError} `ERR_URL_MISSING`, `ERR_URL_INVALID` */
  get plan(): ConnectionPlan {
    if (this.#plan) return this.#plan
    const plan = planConnection(this.settings.database, undefined, runtime)
    this.#plan = plan
    for (const { code, message, fix } of plan.warnings) this.warn(code, `${message} ${fix}`)
    return plan
  }

  get sessions(): SessionPool {
    const { emit } = this.settings.database
    const { address } = this.plan.route
    this.#sessions ??= new SessionPool(this.settings, this.#prepares, {
      connected: (durationMs) => emit({ type: 'connect', ...address, durationMs }),
      disconnected: (error) => emit(error ? { type: 'close', error } : { type: 'close' }),
      released: () => this.#noteRelease(),
    })
    return this.#sessions
  }

  get stats(): PoolStats {
    const { size = 0, idle = 0, waiting = 0 } = this.#sessions ?? {}
    return { size, idle, overflow: Math.max(0, size - this.settings.poolSize), waiting }
  }

  warn = (code: string, message: string): void => {
    this.settings.database.emit({ type: 'warning', code, message })
  }

  /** @throws {NullpoolError} `ERR_POOL_CLOSED`. */
  admit(): void {
    if (this.#ending) throw poolClosed()
  }

  /** Begins a piece of work. */
  begin(kind: WorkKind): PoolLane {
    return this.resume(new PoolLane(this, kind))
  }

  /** Begins a piece of work on a lane that has done another one. */
  resume(lane: PoolLane): PoolLane {
    this.admit()
    lane.begin()
    this.#working.add(lane)
    return lane
  }

  /** The work is done; `freed` is called once its lane can be used for other work. */
  finish(lane: PoolLane, freed: () => void = () => undefined): void {
    lane.done(() => {
      this.#end(lane)
      freed()
    })
  }

  #end(work: { close(): void }): void {
    this.#working.delete(work)
    if (this.#working.size === 0) this.#finished?.()
  }

  /** The connection of a request, lent for its length. */
  lend(context: ScopeContext): RequestConnection {
    this.admit()
    const lease = new Lease('request')
    const { database } = this.settings
    const end = (): void => void request.close()
    const work = { close: end }
    const request: RequestConnection = new RequestConnection(database, context, {
      plan: this.plan,
      sessions: this.sessions.sourceFor(lease),
      usage: usageOf(lease, database.guard ?? 'throw'),
      ended: () => this.#end(work),
    })
    this.#working.add(work)
    return request
  }

  /** Runs a piece of work from its beginning to its end. */
  async run<T>(kind: WorkKind, work: (lane: PoolLane) => Promise<T>): Promise<T> {
    const lane = this.begin(kind)
    try {
      return await work(lane)
    } finally {
      this.finish(lane)
    }
  }

  /** Calls back whenever a connection comes back. */
  onRelease(listener: () => void): void {
    this.#released.push(listener)
  }

  /** Idempotent, bounded, never rejects. */
  close(): Promise<void> {
    this.#ending = true
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { drainTimeoutMs, database } = this.settings
    clearTimeout(this.#idleTimer)
    this.#sessions?.drain()
    const drained = new Promise<void>((resolve) => {
      this.#finished = resolve
      if (this.#working.size === 0) resolve()
    })
    await settledWithin(drained, drainTimeoutMs)
    this.#sessions?.end()
    for (const work of this.#working) work.close()
    if (this.#sessions) await settledWithin(this.#sessions.emptied(), database.closeTimeoutMs * 2)
  }

  /** On a direct connection, or one that is somebody's for as long as it is open. */
  get #prepares(): boolean {
    const { prepare, database } = this.settings
    if (prepare !== 'auto') return prepare
    const { mode } = this.plan.target
    if (mode !== 'unknown') return mode === 'direct' || mode === 'session'
    return database.pooler === 'postgres'
  }

  #noteRelease(): void {
    for (const listener of this.#released) listener()
    const { idleTimeoutMs } = this.settings
    if (idleTimeoutMs !== undefined) this.#closeIdle(idleTimeoutMs, idleTimeoutMs)
  }

  /** One timer, as long as a connection is idle. */
  #closeIdle(idleTimeoutMs: number, afterMs: number): void {
    if (this.#ending || this.#idleTimer !== undefined) return
    this.#idleTimer = setTimeout(
      () => {
        this.#idleTimer = undefined
        const leftMs = this.#sessions?.closeIdle(idleTimeoutMs)
        if (leftMs !== undefined) this.#closeIdle(idleTimeoutMs, leftMs)
      },
      Math.max(1, afterMs),
    )
  }
}
