import type { NullpoolError } from '../errors.ts'
import type { Cancellation } from './cancellation.ts'
import { settledWithin } from './deadline.ts'
import { Dial } from './dial.ts'
import type { Session } from './session.ts'
import type { SessionEvents } from './session-events.ts'
import { ownSessions } from './session-source.ts'
import type { UpstreamEvents, UpstreamOptions } from './upstream-events.ts'

/** The session of an upstream: on its way, there, or being closed; never a second one. */
export class UpstreamSession {
  #options: UpstreamOptions
  #events: UpstreamEvents
  #dial: Dial | undefined
  #current: Session | undefined
  #closing: Promise<void> | undefined

  constructor(options: UpstreamOptions, events: UpstreamEvents) {
    this.#options = options
    this.#events = events
  }

  get current(): Session | undefined {
    return this.#current
  }

  /** Resolves once it is closed, where it is being closed; until then no other may be opened. */
  get closing(): Promise<void> | undefined {
    return this.#closing
  }

  /** Whether it is there, on its way, or being closed. */
  get connected(): boolean {
    return (this.#current ?? this.#dial ?? this.#closing) !== undefined
  }

  /**
   * Opens it, or takes one that is at hand.
   *
   * @param opened - Called with it, and how long it took; it is to be held, or destroyed.
   */
  open(told: SessionEvents, opened: (session: Session, durationMs: number) => void): void {
    const { sessions = ownSessions, meter } = this.#options
    const atHand = sessions.take?.(told, meter)
    if (atHand) return opened(atHand, 0)
    const dial = new Dial()
    this.#dial = dial
    this.#events.opening()
    const take = (session: Session): void => {
      this.#dial = undefined
      opened(session, Date.now() - dial.startedAt)
    }
    sessions.open(dial, this.#options, told).then(take, told.lost)
  }

  /** From now on it is there. */
  hold(session: Session): void {
    this.#current = session
  }

  /** It has ended by itself, or could not be opened. */
  forget(): void {
    this.#dial = undefined
    this.#current = undefined
  }

  /** It is not to be opened after all. */
  giveUp(): void {
    this.#dial?.giveUp()
  }

  /**
   * Gives it back, or says goodbye, for `closeTimeoutMs` at the most. Never rejects.
   *
   * @param error - Why, where it is not on purpose.
   * @param over - Called once another may be opened.
   */
  close(
    cancellation: Cancellation,
    error: NullpoolError | undefined,
    over: () => void,
  ): Promise<void> {
    const session = this.#current
    if (!session) return this.#closing ?? Promise.resolve()
    this.#current = undefined
    const { sessions = ownSessions, closeTimeoutMs } = this.#options
    const isBack = sessions.giveBack?.(session, cancellation)
    if (isBack) return Promise.resolve(this.#events.closed(error))
    const goodbye = settledWithin(sessions.close(session, cancellation), closeTimeoutMs)
    this.#closing = goodbye.then((ended) => {
      if (!ended) session.destroy()
      this.#closing = undefined
      this.#events.closed(error)
      over()
    })
    return this.#closing
  }
}
