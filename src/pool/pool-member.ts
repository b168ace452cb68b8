import { settledWithin } from '../wire/deadline.ts'
import { runErrand } from '../wire/errand.ts'
import type { Session } from '../wire/session.ts'
import type { PoolSettings } from './pool-options.ts'

/** Servers that were started together do not replace their connections together. */
const LIFETIME_SPREAD = 0.1

/** A server that takes longer to say that it is there is taken for gone. */
const LONGEST_PING_MS = 5_000

/** A connection of a pool. */
export class PoolMember {
  readonly session: Session
  idleSince = 0
  #settings: PoolSettings
  #expiresAt: number

  constructor(session: Session, settings: PoolSettings, openedAt: number) {
    this.session = session
    this.#settings = settings
    this.#expiresAt = openedAt + settings.maxLifetimeMs * (1 - Math.random() * LIFETIME_SPREAD)
  }

  get isExpired(): boolean {
    return Date.now() >= this.#expiresAt
  }

  /** Whether it is to be looked at before it is used. */
  get isDoubtful(): boolean {
    return this.session.ended || this.isExpired || this.#needsPing
  }

  get #needsPing(): boolean {
    const { pingAfterIdleMs } = this.#settings
    return pingAfterIdleMs !== false && Date.now() - this.idleSince >= pingAfterIdleMs
  }

  /** Whoever takes it looks after its slot. */
  detach(): this {
    this.session.onEnded = () => undefined
    return this
  }

  /** Ends it where it is too old or, asked, does not answer. Never rejects. */
  async check(): Promise<void> {
    if (this.isExpired) return this.hangUp()
    if (!this.#needsPing) return
    const withinMs = Math.min(this.#settings.database.connectTimeoutMs, LONGEST_PING_MS)
    if (!(await runErrand(this.session, 'select 1', withinMs))) this.session.destroy()
  }

  /** Takes out of the session what its user has left in it; `false` where that failed. Never rejects. */
  async reset(): Promise<boolean> {
    const { closeTimeoutMs } = this.#settings.database
    const isReset = await runErrand(this.session, 'discard all', closeTimeoutMs)
    this.session.names?.forgetAll()
    return isReset
  }

  /** Says goodbye; resolves once the connection has gone. Never rejects. */
  async hangUp(): Promise<void> {
    const { session } = this.detach()
    const { closeTimeoutMs } = this.#settings.database
    if (!(await settledWithin(session.terminate(), closeTimeoutMs))) session.destroy()
  }
}
