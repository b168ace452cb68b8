import { requestCancel } from './cancel.ts'
import type { Route } from './dial.ts'
import type { Flight } from './flight.ts'
import type { BackendKey } from './messages.ts'
import type { Session } from './session.ts'

/** Cancels what is under way on one upstream, and sees to it that nothing else is hit. */
export class Cancellation {
  #route: Route
  #background: (work: Promise<void>) => void
  #requests = 0
  #settled: Promise<void> = Promise.resolve()
  #unwanted: Flight | undefined

  /** Takes what keeps the platform from ending the request before a cancel request has been heard. */
  constructor(route: Route, background: (work: Promise<void>) => void) {
    this.#route = route
    this.#background = background
  }

  /** Whether a request is on its way: a statement that leaves now could be stopped by it. */
  get underWay(): boolean {
    return this.#requests > 0
  }

  /** Resolves when no request is on its way. Never rejects. */
  async quiet(): Promise<void> {
    while (this.#requests > 0) await this.#settled
  }

  /** Whether something is to be stopped that has not been asked for. */
  get wanted(): boolean {
    return this.#unwanted !== undefined
  }

  /** Notes that a flight is to be stopped as soon as the server is at it and can be asked. */
  want(flight: Flight): void {
    this.#unwanted = flight
  }

  /** Asks for what was wanted, if it is under way and it is the server's turn. Never rejects. */
  async pursue(underWay: Flight | undefined, key: BackendKey | undefined): Promise<void> {
    if (!key || !underWay?.awaitsServer || this.#unwanted !== underWay) return
    this.#unwanted = undefined
    await this.request(key)
  }

  /**
   * Stops everything that a session has under way: each request stops one statement, and what was sent behind it
   * runs next. A server that answers nothing is asked once. Never rejects.
   *
   * @param nextAnswer - Resolves when a flight has been answered.
   */
  async pursueAll(session: Session, nextAnswer: () => Promise<void>): Promise<void> {
    while (session.key && session.busy && !session.ended) {
      const answered = nextAnswer()
      await this.request(session.key)
      await answered
    }
  }

  /** Asks the server to stop whatever it is at. Never rejects. */
  async request(key: BackendKey): Promise<void> {
    this.#requests += 1
    const requested = requestCancel(this.#route, key)
    this.#settled = Promise.all([this.#settled, requested]).then(() => undefined)
    this.#background(requested)
    await requested
    this.#requests -= 1
  }
}
