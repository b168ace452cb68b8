import type { NullpoolErrorCode } from '../errors.ts'
import type { Cancellation } from '../wire/cancellation.ts'
import type { Dial } from '../wire/dial.ts'
import { settle } from '../wire/farewell.ts'
import { closedEarly } from '../wire/loss.ts'
import { Meter } from '../wire/meter.ts'
import { NamedStatements } from '../wire/named-statements.ts'
import { openSession } from '../wire/open-session.ts'
import type { Session } from '../wire/session.ts'
import type { SessionEvents, SessionOptions } from '../wire/session-events.ts'
import type { SessionSource } from '../wire/session-source.ts'
import { StatementNames, StatementsInCommon } from '../wire/statement-names.ts'
import type { Lease } from './lease.ts'
import { poolClosed, poolTimeout } from './pool-failures.ts'
import { PoolMember } from './pool-member.ts'
import type { PoolSettings } from './pool-options.ts'
import { WaitingLine } from './waiting-line.ts'

/** What its owner is told. */
export interface SessionPoolEvents {
  connected(durationMs: number): void
  disconnected(code: NullpoolErrorCode | undefined): void
  /** A connection came back. */
  released(): void
}

/** What is not used is given up by the pool itself. */
const IDLE: SessionEvents = {
  ready() {},
  idle() {},
  refused() {},
  expired() {},
  lost() {},
}

/**
 * The connections of a pool and the line of those who wait for one. A slot is a connection that is open,
 * being opened or being closed, or the right to open one; there are never more than the limit.
 */
export class SessionPool {
  #settings: PoolSettings
  #events: SessionPoolEvents
  #named: boolean
  #common = new StatementsInCommon()
  #meter = new Meter()
  #slots = 0
  /** How many of them are being closed for good. */
  #leaving = 0
  /** The one that was used last at the end. */
  #idle: PoolMember[] = []
  #members = new Map<Session, PoolMember>()
  #leases = new Set<Lease>()
  #line = new WaitingLine<PoolMember | undefined>()
  #ending: 'draining' | 'closed' | undefined
  #emptied: (() => void)[] = []

  /** @param named - Whether statements may have names. */
  constructor(settings: PoolSettings, named: boolean, events: SessionPoolEvents) {
    this.#settings = settings
    this.#named = named
    this.#events = events
  }

  get size(): number {
    return this.#slots
  }

  get idle(): number {
    return this.#idle.length
  }

  get waiting(): number {
    return this.#line.length
  }

  get limit(): number {
    return this.#settings.poolSize + this.#settings.maxOverflow
  }

  /** Sessions for one use after another. */
  sourceFor(lease: Lease): SessionSource {
    return {
      open: (dial, options, events) => this.#lend(lease, dial, options, events),
      take: (events, meter) => this.#take(lease, events, meter),
      giveBack: (session, cancellation) => this.#giveBack(lease, session, cancellation),
      close: async (session, cancellation) => {
        await settle(session)
        await cancellation.quiet()
        await this.#takeBack(lease, session)
      },
    }
  }

  /** From now on what comes back is closed. */
  drain(): void {
    this.#ending ??= 'draining'
    for (const member of this.#idle.splice(0)) void this.#retire(member)
  }

  /** Nobody gets a connection any more. */
  end(): void {
    this.#ending = 'closed'
    this.#line.fail(() => poolClosed())
  }

  /** Closes what has been idle for so long; returns after how many milliseconds to come again. */
  closeIdle(afterMs: number): number | undefined {
    const now = Date.now()
    const isOld = ({ idleSince }: PoolMember): boolean => now - idleSince >= afterMs
    const old = this.#idle.filter(isOld)
    this.#idle = this.#idle.filter((member) => !isOld(member))
    for (const member of old) void this.#retire(member)
    const [oldest] = this.#idle
    return oldest && oldest.idleSince + afterMs - now
  }

  /** Resolves when no connection is open. */
  async emptied(): Promise<void> {
    while (this.#slots > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve))
  }

  #take(lease: Lease, events: SessionEvents, meter: Meter): Session | undefined {
    const member = this.#idle.at(-1)
    if (!member || member.isDoubtful || this.#ending === 'closed') return undefined
    this.#idle.pop()
    lease.since = Date.now()
    this.#leases.add(lease)
    member.session.adopt(events, meter)
    return this.#give(lease, member)
  }

  #giveBack(lease: Lease, session: Session, cancellation: Cancellation): boolean {
    const isQuiet = session.ready && !session.busy && !cancellation.underWay
    if (!isQuiet || session.status !== 'I' || this.#needsReset(lease)) return false
    void this.#takeBack(lease, session)
    return true
  }

  async #lend(
    lease: Lease,
    dial: Dial,
    options: SessionOptions,
    events: SessionEvents,
  ): Promise<Session> {
    const given = await this.#acquire(dial.signal)
    lease.since = Date.now()
    this.#leases.add(lease)
    const fit = given && (await this.#check(given))
    if (dial.isGivenUp) {
      this.#leases.delete(lease)
      if (fit) this.#place(fit)
      else this.#freeSlot()
      throw closedEarly(false)
    }
    if (fit) fit.session.adopt(events, options.meter)
    return this.#give(lease, fit ?? (await this.#open(lease, dial, options, events)))
  }

  /** A connection, or the right to open one. Whoever comes later waits behind whoever waits. */
  async #acquire(signal: AbortSignal): Promise<PoolMember | undefined> {
    if (this.#ending === 'closed') throw poolClosed()
    const idle = this.#idle.pop()
    if (idle) return idle.detach()
    if (this.#slots < this.limit) {
      this.#slots += 1
      return undefined
    }
    const { acquireTimeoutMs } = this.#settings
    return this.#line.join(acquireTimeoutMs, signal, () =>
      poolTimeout(acquireTimeoutMs, this.limit, [...this.#leases]),
    )
  }

  /** The connection, if it is as good as a new one; otherwise its slot is free for a new one. */
  async #check(member: PoolMember): Promise<PoolMember | undefined> {
    await member.check()
    if (!member.session.ended) return member
    this.#forget(member)
    return undefined
  }

  async #open(
    lease: Lease,
    dial: Dial,
    options: SessionOptions,
    events: SessionEvents,
  ): Promise<PoolMember> {
    const startedAt = Date.now()
    const { statementCacheSize } = this.#settings
    const names = (send: (bytes: Uint8Array) => void): NamedStatements =>
      new NamedStatements(new StatementNames(this.#common, statementCacheSize), send)
    try {
      const own = this.#named ? { ...options, names } : options
      const session = await openSession(dial, own, events)
      const member = new PoolMember(session, this.#settings, startedAt)
      this.#members.set(session, member)
      this.#events.connected(Date.now() - startedAt)
      return member
    } catch (error) {
      this.#leases.delete(lease)
      this.#freeSlot()
      throw error
    }
  }

  #give(lease: Lease, member: PoolMember): Session {
    const { session } = member
    lease.session = session
    session.onEnded = () => {
      this.#leases.delete(lease)
      this.#forget(member)
      this.#freeSlot()
    }
    if (session.ended) session.onEnded()
    return session
  }

  async #takeBack(lease: Lease, session: Session): Promise<void> {
    const member = this.#members.get(session)
    if (!member || session.ended) return
    this.#leases.delete(lease)
    lease.session = undefined
    session.adopt(IDLE, this.#meter)
    session.onEnded = () => {
      this.#idle = this.#idle.filter((other) => other !== member)
      this.#forget(member)
      this.#freeSlot()
    }
    const isClean = session.status === 'I' && !session.busy
    if (isClean && !this.#needsReset(lease)) return this.#place(member)
    const isReset = isClean && (await member.reset())
    lease.needsReset = false
    if (session.ended) return
    if (isReset) this.#place(member)
    else await this.#retire(member)
  }

  #needsReset(lease: Lease): boolean {
    const { reset } = this.#settings
    return reset === 'always' || (reset === 'auto' && lease.needsReset)
  }

  /** To whoever waits, or to those that nobody uses, or away. */
  #place(member: PoolMember): void {
    if (member.session.ended) return
    const isWanted = this.#line.length > 0
    const isSurplus =
      this.#ending !== undefined || this.#slots - this.#leaving > this.#settings.poolSize
    member.idleSince = Date.now()
    if (member.isExpired || (isSurplus && !isWanted)) {
      void this.#retire(member)
    } else if (isWanted) {
      this.#line.serve(member.detach())
    } else {
      this.#idle.push(member)
    }
    this.#events.released()
  }

  async #retire(member: PoolMember): Promise<void> {
    this.#leaving += 1
    await member.hangUp()
    this.#leaving -= 1
    this.#forget(member)
    this.#freeSlot()
  }

  #forget({ session }: PoolMember): void {
    if (!this.#members.delete(session)) return
    this.#events.disconnected(session.failure?.code)
  }

  #freeSlot(): void {
    this.#slots -= 1
    if (this.#line.length > 0) {
      this.#slots += 1
      this.#line.serve(undefined)
    }
    if (this.#slots === 0) for (const tell of this.#emptied.splice(0)) tell()
  }
}
