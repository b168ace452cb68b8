import type { NullpoolError } from '../errors.ts'
import {
  Backend,
  concat,
  copyFailMessage,
  Frontend,
  readyForQuery,
  syncMessage,
  type TransactionStatus,
} from './messages.ts'

/** Where the answers to a flight go. */
export interface FlightReceiver {
  /** Bytes of whole messages, in order. */
  receive(bytes: Uint8Array): void
  /** The flight's ReadyForQuery has been received; it was part of the bytes. */
  finished(flight: Flight, status: TransactionStatus): void
  /** The flight was not sent, and nothing else is wrong. */
  refused(flight: Flight, error: NullpoolError): void
}

const NOTHING = new Uint8Array()

const NOBODY: FlightReceiver = {
  receive() {},
  finished() {},
  refused() {},
}

/** Messages after which a server has said all it will say to a Flush, by the request before it. */
const LAST_ANSWERS: Readonly<Record<number, readonly number[]>> = {
  [Frontend.parse]: [Backend.parseComplete],
  [Frontend.bind]: [Backend.bindComplete],
  [Frontend.close]: [Backend.closeComplete],
  [Frontend.describe]: [Backend.rowDescription, Backend.noData],
  [Frontend.execute]: [
    Backend.commandComplete,
    Backend.portalSuspended,
    Backend.emptyQueryResponse,
    Backend.copyInResponse,
  ],
}

/**
 * What a driver sends as one turn: it ends with one Sync or one simple Query, and one ReadyForQuery
 * comes back. A Flush lets a part of it go ahead.
 */
export class Flight {
  /** Takes the place of the server's answer: the flight is not sent, but keeps its turn. */
  localAnswer: Uint8Array | undefined
  /** Statements in it. */
  queries = 0
  /** The Parse or Query that came last. */
  statement: Uint8Array | undefined
  /** Whether its Sync or Query is there, so that nothing but COPY data can follow. */
  complete = false
  /** Whether the server owes an answer; otherwise the driver is to go on. */
  awaitsServer = false
  /** Whether the server waits for the rows of a COPY. */
  copying = false
  /** Whether it is a COPY by the extended protocol: the server ignores a Sync before the last row. */
  wantsSecondSync = false
  /** Whether a byte of it has left. */
  sent = false
  readonly startedAt: number = Date.now()
  #receiver: FlightReceiver
  #unsent: Uint8Array[] = []
  #onTaken: (() => void)[] = []
  #lastRequest = 0

  constructor(receiver: FlightReceiver) {
    this.#receiver = receiver
  }

  /** A flight of the wire's own, whose answer interests nobody. */
  static internal(message: Uint8Array): Flight {
    const flight = new Flight(NOBODY)
    flight.add(message)
    return flight
  }

  /** Whoever is told of the answers. */
  get receiver(): FlightReceiver {
    return this.#receiver
  }

  /** Brings the flight to its ReadyForQuery without its receiver; calls `send` when there is need to. */
  abandon(send: () => void): void {
    const end = (): void => {
      for (const message of this.#ending()) this.add(message)
      send()
    }
    // A COPY may begin only after its driver has left.
    this.#receiver = { ...NOBODY, receive: end }
    end()
  }

  #ending(): Uint8Array[] {
    const fail = this.copying ? [copyFailMessage('The request is over.')] : []
    const wantsSync = !this.complete || this.wantsSecondSync
    return wantsSync ? [...fail, syncMessage()] : fail
  }

  /** Adds a driver's message. True when there is something to send now. */
  add(message: Uint8Array): boolean {
    const type = message[0] ?? 0
    this.#unsent.push(message)
    if (type === Frontend.copyData) return true
    if (type === Frontend.copyDone || type === Frontend.copyFail) {
      this.copying = false
      this.awaitsServer = true
      return true
    }
    if (type === Frontend.parse || type === Frontend.query) {
      this.queries += 1
      this.statement = message
    }
    if (type === Frontend.sync) this.wantsSecondSync = false
    if (type === Frontend.query || type === Frontend.sync) this.complete = true
    else if (type !== Frontend.flush) this.#lastRequest = type
    if (!this.complete && type !== Frontend.flush) return false
    this.awaitsServer = true
    return true
  }

  /** Calls back once what has been added so far was handed to the runtime. */
  onTaken(callback: () => void): void {
    this.#onTaken.push(callback)
  }

  /** The bytes that wait. */
  take(): Uint8Array | undefined {
    if (this.#unsent.length === 0) return undefined
    const bytes = concat(this.#unsent)
    this.#unsent = []
    this.sent = true
    return bytes
  }

  /** Tells those who wait for what has been taken so far. */
  taken(): void {
    for (const callback of this.#onTaken.splice(0)) callback()
  }

  /**
   * Says the answer that takes the place of the server's, and ReadyForQuery once the Sync is there.
   *
   * @returns whether that was all.
   */
  answerLocally(status: TransactionStatus): boolean {
    const answer = this.localAnswer ?? NOTHING
    this.localAnswer = NOTHING
    this.taken()
    const end = this.complete ? [readyForQuery(status)] : []
    this.#receiver.receive(concat([answer, ...end]))
    if (this.complete) this.#receiver.finished(this, status)
    return this.complete
  }

  /** Notes whose turn it is after a message of the server. */
  answered(type: number): void {
    if (type === Backend.copyInResponse) {
      this.copying = true
      this.awaitsServer = false
      this.wantsSecondSync = this.complete && this.#lastRequest !== 0
    } else if (type === Backend.errorResponse) {
      this.copying = false
      if (!this.complete) this.awaitsServer = false
    } else if (!this.complete && LAST_ANSWERS[this.#lastRequest]?.includes(type)) {
      this.awaitsServer = false
    }
  }
}
