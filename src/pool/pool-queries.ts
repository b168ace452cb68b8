import { createPoolClient } from '#driver'
import { runtime } from '#runtime'
import { abortable, type Cancellable } from '../abortable.ts'
import { type BatchResults, runBatch, runInTransaction } from '../batch.ts'
import { type Claims, claimSettings, type Identity, identityOf } from '../claims.ts'
import type { PoolHost, PoolWork, Sql, TransactionSql } from '../drivers/driver.ts'
import { NullpoolError } from '../errors.ts'
import { lazySql } from '../lazy-sql.ts'
import { enclosingTransaction, runTransaction, type TransactionOptions } from '../transaction.ts'
import type { WorkKind } from './lease.ts'
import type { PoolCore } from './pool-core.ts'
import { needsOwnConnection } from './pool-failures.ts'
import type { PoolLane } from './pool-lane.ts'

/** Of those who wait at the same time each has a client of the driver, which costs more to make than to keep. */
const MOST_FREE = 256

type Work<T> = (sql: TransactionSql) => Promise<T>

/** Statements, transactions and batches, each on whatever connection is free. */
export class PoolQueries {
  readonly sql: Sql
  #core: PoolCore
  #identity: Identity | undefined
  /** What has done its work and can be used again. */
  #free: LaneWork[] = []
  #lanes = new WeakMap<object, PoolLane>()
  #end: () => Promise<void>

  constructor(core: PoolCore, end: () => Promise<void>, identity?: Identity) {
    this.#core = core
    this.#end = end
    this.#identity = identity
    // Of a pool that is closed a query rejects when it begins, as it does where it fails.
    this.sql = lazySql(
      () => this.#createClient(),
      () => undefined,
    )
  }

  transaction<T>(first: TransactionOptions | Work<T>, second?: Work<T>): Promise<T> {
    const [options, work] = typeof first === 'function' ? [{}, first] : [first ?? {}, second]
    const identity = this.#identity
    return this.#core.run('transaction', (connection) =>
      runTransaction({ connection, identity }, options, work),
    )
  }

  batch<const T extends readonly PromiseLike<unknown>[]>(
    work: (sql: Sql) => T,
  ): Promise<BatchResults<T>> {
    const identity = this.#identity
    return this.#core.run('batch', async (connection) => {
      const enclosing = enclosingTransaction(connection, identity)
      if (enclosing) return runInTransaction(enclosing, work)
      return runBatch(connection, identity, this.sql, work)
    })
  }

  as(claims: Claims | null | undefined, settings: Record<string, string> = {}): PoolQueries {
    const identity = identityOf(claimSettings(claims, this.#core.settings.database), settings)
    return new PoolQueries(this.#core, this.#end, identity)
  }

  abortable<T>(query: Cancellable<T>, signal: AbortSignal): Promise<T> {
    const { closeTimeoutMs } = this.#core.settings.database
    return abortable(query, signal, closeTimeoutMs, () => this.#lanes.get(query)?.giveUp())
  }

  #createClient(): Sql {
    const { driver } = this.#core.settings.database
    const { host, port, user, database } = this.#core.plan.target
    const poolHost: PoolHost = {
      ...{ host, port, user, database },
      begin: (kind, query) => this.#begin(kind, query),
      end: this.#end,
      bind: runtime.bind,
      notice: ({ severity, code, message }) => this.#core.warn(code, `${severity}: ${message}`),
      unsupported: needsOwnConnection,
    }
    const client = createPoolClient(driver, poolHost)
    if (!client) throw new NullpoolError('ERR_OPTIONS', NO_POOL_DRIVER)
    return client
  }

  #begin(kind: WorkKind, query: object | undefined): PoolWork {
    const known = kind === 'query' ? this.#free.pop() : undefined
    const work = known ?? new LaneWork(this.#core, kind, this.#identity, (done) => this.#keep(done))
    work.begin()
    if (query) this.#lanes.set(query, work.lane)
    return work
  }

  #keep(work: LaneWork): void {
    if (this.#free.length < MOST_FREE) this.#free.push(work)
  }
}

const NO_POOL_DRIVER = 'The option driver takes what postgresDriver() gives, for a pool.'

/** One use after another of a lane. */
class LaneWork implements PoolWork {
  readonly lane: PoolLane
  readonly connect: PoolWork['connect']
  client: unknown
  #core: PoolCore
  #freed: (work: LaneWork) => void
  #isNew = true

  constructor(
    core: PoolCore,
    kind: WorkKind,
    identity: Identity | undefined,
    freed: (work: LaneWork) => void,
  ) {
    this.#core = core
    this.#freed = freed
    this.lane = core.begin(kind)
    this.connect = this.lane.connector(identity)
  }

  begin(): void {
    if (!this.#isNew) this.#core.resume(this.lane)
    this.#isNew = false
  }

  done(): void {
    this.#core.finish(this.lane, () => {
      if (this.lane.isReusable) this.#freed(this)
    })
  }
}
