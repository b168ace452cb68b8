import { Beginning } from './beginning.ts'
import { Commit } from './commit.ts'
import { controlWords } from './control-statement.ts'
import { DeferredSavepoints, preparationOf } from './deferred-savepoints.ts'
import type { Flight } from './flight.ts'
import { Backend, statementMessages, statementText, type TransactionStatus } from './messages.ts'
import { OwnTransaction } from './own-transaction.ts'
import type { Preparation } from './prologue.ts'
import { ReadingEnd } from './reading-end.ts'
import type { Reply } from './replies.ts'
import { namesValues, statementHeads } from './statement-heads.ts'
import {
  chaining,
  concluding,
  controls,
  escapes,
  escaping,
  isUncertain,
} from './statement-refusals.ts'
import {
  beginTag,
  chains,
  commits,
  endTag,
  leavesTransaction,
  modesOf,
} from './transaction-control.ts'

const START = [Backend.parseComplete, Backend.bindComplete]

/** What is known of a transaction that is over, or would be if its connection ended now. */
export type Outcome = 'committed' | 'rolled back' | 'unknown'

/**
 * The transaction that a driver takes itself to be in. A lone `BEGIN` is acknowledged here and travels
 * with what comes next, so that it costs no trip; a transaction that stays empty costs none at all. A
 * prologue is put before the first flight of each transaction, also of one that is a single flight.
 */
export class Transaction {
  /** The statement that begins it, as long as no server has heard of it. */
  deferred: string | undefined
  /** Where the server stood after the last flight of any of its drivers. */
  status: TransactionStatus = 'I'
  #prologue: Preparation | undefined
  /** Whether the driver may begin and end transactions. */
  #free: boolean
  /** What commits it, or has. */
  #commit: Flight | undefined
  /** Whether it was committed without a statement, and so without a server. */
  #committedEmpty = false
  /** Of the only transaction of a driver that did not begin it itself. */
  #readingEnd: ReadingEnd | undefined
  #savepoints = new DeferredSavepoints()

  /** Takes what begins every transaction of this driver, and the statement that begins its only one. */
  constructor(prologue?: Preparation, begin?: string) {
    this.#prologue = prologue
    this.deferred = begin
    this.#free = begin === undefined
    this.#readingEnd = begin === undefined ? undefined : new ReadingEnd(begin)
  }

  /** Whether the server refuses everything up to a rollback, whoever has failed. */
  get isFailed(): boolean {
    return this.status === 'E'
  }

  /** From now on the driver may end its only transaction. */
  conclude(): void {
    this.#free = true
  }

  get outcome(): Outcome {
    if (this.#committedEmpty) return 'committed'
    const { commit, sent } = this.#commit ?? {}
    return commit?.ended ?? (sent ? 'unknown' : 'rolled back')
  }

  /** Whether its end can fail, or has an effect, although it was begun to read. */
  get endMatters(): boolean {
    return this.#readingEnd?.matters ?? true
  }

  /** Takes the text of each statement of its driver. */
  look(text: string): void {
    if (!this.#readingEnd) return
    this.#readingEnd.look(text)
    this.#savepoints.look(text)
  }

  /**
   * Answers what needs no server.
   *
   * @param settled - Whether every flight before it has been answered, so that `status` is the status now.
   */
  reviews(flight: Flight, status: TransactionStatus, settled: boolean): void {
    const words = flight.statement && controlWords(flight.statement)
    if (!flight.localAnswer) this.#restrict(flight, words)
    const isCommit = words !== undefined && !flight.localAnswer && commits(words)
    flight.commit = isCommit ? new Commit() : undefined
    if (isCommit) this.#commit = flight
    // What became of the one before is no answer for the next.
    else if (words && /^(begin|start)/.test(words)) this.#forget()
    if (flight.complete && !flight.localAnswer && settled) this.#answer(flight, status, words)
    if (flight.localAnswer && this.deferred !== undefined) flight.localStatus ??= 'T'
  }

  #answer(flight: Flight, status: TransactionStatus, words: string | undefined): void {
    if (flight.queries !== 1 || !flight.statement || flight.asked) return
    if (words) return this.#control(flight, status, words)
    if (this.deferred === undefined && status !== 'T') return
    const tag = this.#savepoints.defer(statementText(flight.statement))
    if (tag) flight.answerHere(tag, 'T')
  }

  #forget(): void {
    this.#commit = undefined
    this.#committedEmpty = false
  }

  /** Refuses what could leave the transaction or its settings; holds back what could change the status. */
  #restrict(flight: Flight, words: string | undefined): void {
    if (this.#free && !this.#prologue) return
    if (isUncertain(flight)) flight.becomeExtended()
    if (!this.#free && controls(flight)) flight.localAnswer = concluding()
    if (!this.#prologue) return
    if (escapes(flight)) flight.localAnswer = escaping()
    if (words && chains(words)) flight.localAnswer = chaining()
    // What comes next has to know whether it is in a transaction.
    if (words) flight.alone = true
  }

  /** Puts before a flight what its transaction begins with. */
  departs(flight: Flight, status: TransactionStatus, settled: boolean): void {
    if (flight.localAnswer || flight.sent || flight.prepared) return
    if (this.#savepoints.waiting && leaves(flight)) this.#savepoints.take()
    const begins = this.deferred !== undefined
    if (!begins && this.#prologue && status === 'I') this.#open(flight, this.#prologue, settled)
    else if (begins || this.#savepoints.waiting) this.#begin(flight, this.deferred)
  }

  /** The flight was not sent after all, and what it was to begin has not begun. */
  returned(flight: Flight): void {
    this.deferred ??= flight.beginning?.begin
    this.#savepoints.restore(flight.beginning?.savepoints ?? [])
    flight.beginning = undefined
  }

  /** Takes where the server stands behind a flight; returns where its driver does. */
  finished(flight: Flight, status: TransactionStatus): TransactionStatus {
    const isMissing = flight.sent && flight.beginning?.isMissing
    if (isMissing) this.returned(flight)
    this.status = isMissing ? 'T' : status
    return this.status
  }

  /** Answers `BEGIN`, its modes, and the end of a transaction that no server has heard of. */
  #control(flight: Flight, status: TransactionStatus, words: string): void {
    if (this.deferred === undefined) {
      const begin = status === 'I' ? beginTag(words) : undefined
      if (!begin) return
      this.deferred = words
      return flight.answerHere(begin, 'T')
    }
    const end = endTag(words)
    // Those of a savepoint end with it.
    const modes = this.#savepoints.waiting ? undefined : modesOf(words)
    if (modes) {
      this.deferred += modes
      flight.answerHere('SET', 'T')
    } else if (end) {
      this.deferred = undefined
      this.#savepoints.take()
      this.#committedEmpty = end === 'COMMIT'
      flight.answerHere(end, 'I')
    }
  }

  #begin(flight: Flight, begin: string | undefined): void {
    this.deferred = undefined
    const beginning = new Beginning(begin, this.#savepoints.take(), leaves(flight))
    flight.beginning = beginning
    const parts = [
      ...(begin === undefined ? [] : [this.#startOf(begin, beginning.begun)]),
      preparationOf(beginning.savepoints),
    ]
    const messages = parts.flatMap((part) => part.messages)
    const replies = parts.flatMap((part) => part.replies)
    if (extend(flight)) flight.prepend(messages, replies)
    else flight.sendBefore(messages, replies)
  }

  /** A flight that is a transaction by itself. */
  #open(flight: Flight, { messages, replies }: Preparation, settled: boolean): void {
    if (extend(flight)) {
      flight.prepend(messages, replies)
      flight.repeats = { messages, replies }
      return
    }
    // In the simple protocol there is room for settings only in a transaction of its own.
    flight.alone = true
    if (!settled) return
    const start = this.#startOf('begin', Backend.commandComplete)
    flight.sendBefore(start.messages, start.replies)
    flight.own = new OwnTransaction()
  }

  #startOf(begin: string, begun: Reply): Preparation {
    const question = this.#readingEnd?.question
    const { messages = [], replies = [] } = this.#prologue ?? {}
    return {
      messages: [...statementMessages(begin), ...(question?.messages ?? []), ...messages],
      replies: [...START, begun, ...(question?.replies ?? []), ...replies],
    }
  }
}

/** Whether the transaction is over behind a flight, with every savepoint. */
function leaves({ statement }: Flight): boolean {
  return leavesTransaction((statement && controlWords(statement)) ?? '')
}

/** Brings a flight into the extended protocol, where it is not; `false` where it has to stay simple. */
function extend(flight: Flight): boolean {
  if (!flight.statement || !flight.isSimple) return true
  const text = statementText(flight.statement)
  const heads = statementHeads(text)
  // COPY from the client is another conversation in the extended protocol; so is a value that nobody gives.
  if (!heads || heads.length > 1 || heads[0] === 'copy' || namesValues(text)) return false
  flight.becomeExtended()
  return true
}
