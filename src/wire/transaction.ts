import type { Flight } from './flight.ts'
import {
  Backend,
  Frontend,
  statementMessages,
  statementText,
  type TransactionStatus,
} from './messages.ts'
import { isSingleStatement } from './single-statement.ts'
import { beginTag, commits, endTag } from './transaction-control.ts'

/** Longer ones than these are neither `BEGIN` nor `COMMIT`. */
const HEAD = 200

const REPLIES_OF_BEGIN = [Backend.parseComplete, Backend.bindComplete, Backend.commandComplete]

/**
 * The transaction that a driver takes itself to be in. A lone `BEGIN` is acknowledged here and travels
 * with what comes next, so that it costs no trip; a transaction that stays empty costs none at all.
 */
export class Transaction {
  /** The statement that begins it, as long as no server has heard of it. */
  deferred: string | undefined

  /**
   * Called before a flight is sent, and again for each part of it.
   *
   * @param settled - Whether every flight before it has been answered, so that `status` is the status now.
   */
  depart(flight: Flight, status: TransactionStatus, settled: boolean): void {
    if (flight.sent || flight.begins !== undefined) return
    const text = statementOf(flight)
    flight.commits = commits(text)
    if (flight.complete && !flight.localAnswer && settled) this.#control(flight, status, text)
    if (flight.localAnswer) {
      if (this.deferred !== undefined) flight.localStatus ??= 'T'
    } else if (this.deferred !== undefined) this.#begin(flight, this.deferred)
  }

  /** The flight was not sent after all, and what it was to begin has not begun. */
  returned({ begins }: Flight): void {
    this.deferred ??= begins
  }

  /** Answers `BEGIN`, and the end of a transaction that no server has heard of. */
  #control(flight: Flight, status: TransactionStatus, text: string): void {
    if (flight.queries !== 1) return
    const begin = status === 'I' && this.deferred === undefined ? beginTag(text) : undefined
    const end = this.deferred === undefined ? undefined : endTag(text)
    if (begin) {
      this.deferred = text
      flight.answerHere(begin, 'T')
    } else if (end) {
      this.deferred = undefined
      flight.answerHere(end, 'I')
    }
  }

  #begin(flight: Flight, begin: string): void {
    this.deferred = undefined
    flight.begins = begin
    const isSimple = flight.statement?.[0] === Frontend.query
    const text = isSimple && flight.statement ? statementText(flight.statement) : ''
    const messages = statementMessages(begin)
    if (!isSimple) return flight.prepend(messages, REPLIES_OF_BEGIN)
    if (!canBeExtended(text)) return flight.sendBefore(messages, REPLIES_OF_BEGIN)
    flight.becomeExtended(text)
    flight.prepend(messages, REPLIES_OF_BEGIN)
  }
}

function statementOf({ statement }: Flight): string {
  return statement ? statementText(statement, HEAD) : ''
}

/** COPY from the client is another conversation in the extended protocol. */
function canBeExtended(text: string): boolean {
  return !/^\s*copy\b/i.test(text) && isSingleStatement(text)
}
