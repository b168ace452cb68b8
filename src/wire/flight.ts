import type { Beginning } from './beginning.ts'
import type { Commit } from './commit.ts'
import { Describing, ROW } from './describing.ts'
import type { Place } from './description.ts'
import { type FlightReceiver, NOBODY } from './flight-receiver.ts'
import { isLastAnswer, isRow } from './flush-answers.ts'
import { answersWithoutRows, readyForQuery } from './local-answers.ts'
import {
  Backend,
  concat,
  copyFailMessage,
  describePortal,
  describesPortal,
  endsFlight,
  Frontend,
  statementMessages,
  statementText,
  syncMessage,
  type TransactionStatus,
} from './messages.ts'
import { Outgoing } from './outgoing.ts'
import type { OwnTransaction } from './own-transaction.ts'
import type { Preparation } from './prologue.ts'
import { Replies, type Reply } from './replies.ts'
import { mayCopy } from './transaction-control.ts'

const NOTHING = new Uint8Array()

/**
 * What a driver sends as one turn: it ends with one Sync or one simple Query, and one ReadyForQuery
 * comes back. A Flush lets a part of it go ahead.
 */
export class Flight {
  /** Takes the place of the server's answer: the flight is not sent, but keeps its turn. */
  localAnswer: Uint8Array | undefined
  /** The status that the driver is told behind a local answer, where it is not the server's. */
  localStatus: TransactionStatus | undefined
  /** The deferred statements that travel with it. */
  beginning: Beginning | undefined
  /** What goes before its second part too, where that is a transaction of its own. */
  repeats: Preparation | undefined
  /** The transaction that was begun for it. */
  own: OwnTransaction | undefined
  /** Whether it is a simple Query, and has not become another. */
  isSimple = false
  /** Whether something was put before it. */
  prepared = false
  /** Whether it can neither follow another one nor be followed. */
  alone = false
  /** The transaction's end, where it commits. */
  commit: Commit | undefined
  /** Statements in it. */
  queries = 0
  /** The Parse or Query that came last, and where it runs, whatever it changes. */
  statement: Uint8Array | undefined
  place: Place | undefined
  /** Whether its driver has asked what its statement takes: a part of the answer is told. */
  asked = false
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
  /** When its first row came, or its end where it has none. */
  firstRowAt: number | undefined
  readonly startedAt: number = Date.now()
  /** Which replies the driver must not see. */
  readonly replies: Replies = new Replies()
  #receiver: FlightReceiver
  #requests = ''
  #outgoing = new Outgoing()
  #onTaken: (() => void)[] = []
  #lastRequest = 0
  #describing: Describing | undefined

  constructor(receiver: FlightReceiver) {
    this.#receiver = receiver
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
    return this.complete && !this.wantsSecondSync ? fail : [...fail, syncMessage()]
  }

  /** The types of the driver's messages so far, a letter each; `d` is the Describe of a portal. */
  get requests(): string {
    return this.#requests
  }

  /** Whether all of it can be sent at once, with one answer: another one may follow right behind. */
  get isWhole(): boolean {
    return (
      this.complete &&
      !this.alone &&
      // Whether its transaction has begun is for the server to say.
      this.beginning?.begin === undefined &&
      !this.localAnswer &&
      !this.#outgoing.isHeld &&
      !(this.statement && mayCopy(this.statement))
    )
  }

  /** Whether its driver has asked what a statement takes, heard it, and has nothing more to ask. */
  get over(): boolean {
    return this.#describing !== undefined && this.complete && this.sent && !this.awaitsServer
  }

  /** Puts messages of the wire's own, and the replies that nobody awaits, before everything else. */
  prepend(messages: readonly Uint8Array[], replies: readonly Reply[]): void {
    this.prepared = true
    this.#outgoing.addFirst(messages)
    this.replies.hideFirst(...replies)
  }

  /** The same, with a ReadyForQuery of its own: the rest is sent behind it, unless there is an error. */
  sendBefore(messages: readonly Uint8Array[], replies: readonly Reply[]): void {
    this.prepared = true
    this.#outgoing.holdBehind(messages)
    this.replies.hideFirst(...replies)
  }

  /** Makes the simple Query of a single statement an extended one, which can be prepended to. */
  becomeExtended(): void {
    if (!this.statement || !this.isSimple) return
    const [parse, bind, execute] = statementMessages(statementText(this.statement))
    if (!(parse && bind && execute)) return
    this.isSimple = false
    this.#outgoing.replace([parse, bind, describePortal(), execute, syncMessage()])
    this.replies.hide(Backend.parseComplete, Backend.bindComplete)
    const isNoData = (message: Uint8Array): boolean => message[0] === Backend.noData
    this.replies.expect({ types: ROW, hides: isNoData })
  }

  /** Has the whole of it answered here, as a server answers a statement that gives no rows. */
  answerHere(tag: string, status: TransactionStatus): void {
    this.localAnswer = answersWithoutRows(this.#outgoing.unsent, tag)
    this.localStatus = status
  }

  /**
   * The driver wants to know, with a Flush, what the unnamed statement takes and gives. It is answered
   * here where that is known; otherwise the server is asked with a Sync, and Parse comes a second time.
   */
  describe(): void {
    if (!this.statement || !this.place) return
    this.asked = true
    this.#describing = new Describing(this.place, this.statement)
    this.localAnswer = this.#describing.answer
    if (this.localAnswer) return
    this.replies.expect(...this.#describing.learning())
    this.#outgoing.hold()
    this.awaitsServer = true
  }

  /** Adds a driver's message. True when there is something to send now. */
  add(message: Uint8Array): boolean {
    const type = message[0] ?? 0
    if (this.#describing && this.#described(type, this.#describing)) return true
    this.#requests += describesPortal(message) ? 'd' : String.fromCharCode(type)
    this.#outgoing.add(message)
    if (type === Frontend.copyData) return true
    if (type === Frontend.copyDone || type === Frontend.copyFail) {
      this.copying = false
      this.awaitsServer = true
      return true
    }
    if (type === Frontend.parse || type === Frontend.query) {
      this.queries += 1
      this.statement = message
      this.isSimple = type === Frontend.query
    }
    if (type === Frontend.sync) this.wantsSecondSync = false
    if (endsFlight(type)) this.complete = true
    else if (type !== Frontend.flush) this.#lastRequest = type
    if (!this.complete && type !== Frontend.flush) return false
    this.awaitsServer = true
    return true
  }

  /** The driver goes on after its question. True when that was its Sync, with which nothing is left to ask. */
  #described(type: number, describing: Describing): boolean {
    if (type === Frontend.sync) {
      this.complete = true
      if (this.localAnswer) describing.forget()
      return true
    }
    this.#describing = undefined
    if (!this.localAnswer) {
      const { messages = [], replies = [] } = this.repeats ?? {}
      this.#outgoing.add(...messages, describing.parse)
      this.replies.hide(...replies, Backend.parseComplete)
    } else {
      // A driver that did not wait for the answer gets the server's.
      if (this.localAnswer.length === 0) this.replies.expect(...describing.checking())
      this.localAnswer = undefined
    }
    return false
  }

  /** Calls back once what has been added so far was handed to the runtime. */
  onTaken(callback: () => void): void {
    this.#onTaken.push(callback)
  }

  /** The bytes that may leave now. */
  take(): Uint8Array | undefined {
    const bytes = this.#outgoing.take()
    if (bytes) this.sent = true
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
    const told = this.localStatus ?? status
    const end = this.complete ? [readyForQuery(told)] : []
    this.#receiver.receive(concat([answer, ...end]))
    if (this.complete) this.#receiver.finished(this, told)
    return this.complete
  }

  /** Whether rows are the driver's as they come. */
  get passesRows(): boolean {
    return this.replies.settled && !this.#outgoing.isHeld
  }

  /** What the driver gets of a server's message: itself, nothing, or something in its place. */
  reply(received: Uint8Array): Uint8Array | undefined {
    const message = this.beginning?.told(received) ?? received
    if (message[0] === Backend.readyForQuery && this.#outgoing.isHeld) {
      this.awaitsServer = this.#outgoing.release()
      return this.complete && !this.awaitsServer ? message : undefined
    }
    if (message[0] === Backend.readyForQuery) this.replies.end()
    const end = message[0] === Backend.readyForQuery ? this.own?.end(message[5]) : undefined
    if (end) {
      this.#outgoing.add(end)
      this.replies.hide(Backend.commandComplete)
      this.awaitsServer = true
      return undefined
    }
    // What was to follow was meant for a question, or a transaction, that there is not.
    if (message[0] === Backend.errorResponse) this.#outgoing.drop()
    if (!this.replies.passes(message)) return this.own?.release()
    if (this.commit) return this.commit.pass(message)
    return this.own ? this.own.pass(message) : message
  }

  /** Notes whose turn it is after a message of the server. */
  answered(type: number): void {
    if (this.#outgoing.isHeld) return
    if (isRow(type)) this.firstRowAt ??= Date.now()
    if (type === Backend.copyInResponse) {
      this.copying = true
      this.awaitsServer = false
      this.wantsSecondSync = this.complete && this.#lastRequest !== 0
    } else if (type === Backend.errorResponse) {
      this.copying = false
      if (!this.complete) this.awaitsServer = false
    } else if (!this.complete && isLastAnswer(this.#lastRequest, type)) {
      this.awaitsServer = false
    }
  }
}
