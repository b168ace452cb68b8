import type { Identity } from '../claims.ts'
import type { DriverHost } from '../drivers/driver.ts'
import type { NullpoolError } from '../errors.ts'
import { RequestClients } from '../request-clients.ts'
import type { ScopeConnection } from '../scope-connection.ts'
import { cancelledInVain } from '../scope-refusals.ts'
import type { Flight } from '../wire/flight.ts'
import { Meter } from '../wire/meter.ts'
import { Upstream } from '../wire/upstream.ts'
import { Lease, usageOf, type WorkKind } from './lease.ts'
import type { PoolCore } from './pool-core.ts'
import { poolClosed, refuseControl, workOver } from './pool-failures.ts'

/**
 * One piece of work at a time: it takes a connection with its first statement, and gives it back as soon
 * as nothing of it is under way and no transaction is open.
 */
export class PoolLane implements ScopeConnection {
  readonly origin: unknown
  #core: PoolCore
  #kind: WorkKind
  #lease: Lease
  #meter = new Meter()
  #upstream: Upstream | undefined
  #clients: RequestClients | undefined
  /** Whether it keeps its connection between two statements. */
  #keeps: boolean
  #over = false
  /** Whether its clients have heard that the connection is gone: whatever comes next they fail unsent. */
  #failed = false
  #freed: (() => void) | undefined

  constructor(core: PoolCore, kind: WorkKind) {
    this.origin = core
    this.#core = core
    this.#kind = kind
    this.#lease = new Lease(kind)
    // A batch may come in two flights, and nobody is to come between.
    this.#keeps = kind === 'reserve' || kind === 'batch'
    this.#lease.needsReset = kind === 'reserve'
  }

  get clients(): RequestClients {
    const { settings, plan, warn } = this.#core
    const guard = this.#kind === 'reserve' ? plan.guard : (settings.database.guard ?? 'throw')
    const refuse = this.#kind === 'query' ? refuseControl : undefined
    const usage = usageOf(this.#lease, guard, refuse)
    const connect = (): Upstream => this.#connection()
    this.#clients ??= new RequestClients(settings.database, plan, connect, warn, usage)
    return this.#clients
  }

  /** Whether it can be used for other work of the same kind. */
  get isReusable(): boolean {
    return !this.#failed && !this.#over && !this.#upstream?.where.isStrange
  }

  admit(): void {
    if (this.#over) throw poolClosed()
  }

  /** What connects clients that are made elsewhere. */
  connector(identity: Identity | undefined): DriverHost['connect'] {
    const failed = (): void => {
      this.#failed = true
    }
    return this.clients.connector({ identity, front: () => ({ failed }) })
  }

  /** Begins another piece of work: errors are not to speak of the one before. */
  begin(): void {
    this.#meter.queries = 0
  }

  /** The work is done. Calls back once nothing of it is under way, at once if that is so now. */
  done(freed: () => void): void {
    this.#keeps = false
    // Whoever uses a handle behind its end has left.
    if (this.#kind !== 'query') return void this.#end(workOver).then(freed)
    this.#freed = freed
    this.#rest()
  }

  /** Nothing confirms that a query was cancelled: what runs is given up. */
  giveUp(): void {
    void this.#end(cancelledInVain, 0)
  }

  /** The pool ends. */
  close(): void {
    void this.#end(poolClosed)
  }

  #end(failure: (mayHaveRun: boolean) => NullpoolError, cancelAfterMs?: number): Promise<void> {
    this.#over = true
    const upstream = this.#upstream
    const mayHaveRun = upstream?.running ?? false
    if (!upstream) return Promise.resolve()
    return upstream.close(() => failure(mayHaveRun), cancelAfterMs)
  }

  get queryTimeoutMs(): number {
    return this.#core.settings.database.queryTimeoutMs
  }

  #connection(): Upstream {
    if (this.#upstream) return this.#upstream
    const { settings, plan, sessions } = this.#core
    const { connectTimeoutMs, connectRetries, queryTimeoutMs, closeTimeoutMs } = settings.database
    const limits = { connectTimeoutMs, connectRetries, queryTimeoutMs, closeTimeoutMs }
    const { route, credentials } = plan
    const source = sessions.sourceFor(this.#lease)
    this.#upstream = new Upstream(
      { route, credentials, ...limits, meter: this.#meter, sessions: source },
      {
        opening: () => undefined,
        // Whoever has waited may have given up meanwhile.
        opened: () => this.#rest(),
        background: () => undefined,
        // What was given up, as a COPY is with which nobody goes on, comes to no other end.
        closed: () => this.#rest(),
        idle: () => this.#rest(),
        answered: (flight) => this.#answered(flight),
      },
    )
    return this.#upstream
  }

  #rest(): void {
    const upstream = this.#upstream
    // A COPY that began its own transaction is done for whoever awaited it, and still under way.
    if (upstream?.busy) return
    const freed = this.#freed
    this.#freed = undefined
    if (upstream?.inTransaction) {
      // Whoever has left a transaction open has left.
      if (freed) void this.#end(workOver).then(freed)
      return
    }
    if (upstream && !this.#keeps) void upstream.release()
    freed?.()
  }

  #answered({ queries, startedAt, firstRowAt }: Flight): void {
    const now = Date.now()
    const durationMs = now - startedAt
    const firstRowMs = (firstRowAt ?? now) - startedAt
    this.#core.settings.database.emit({ type: 'query', queries, durationMs, firstRowMs })
  }
}
