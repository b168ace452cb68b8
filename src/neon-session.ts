import type { DriverConnection } from './drivers/driver.ts'
import type { NeonHost, Revised } from './drivers/neon-client.ts'
import { NullpoolError } from './errors.ts'
import { findSessionState } from './guard/session-state.ts'
import { NeonSavepoint, type Send, sendInTurn } from './neon-savepoint.ts'
import type { OpenTransaction } from './open-transaction.ts'
import type { OpenFront } from './request-clients.ts'
import type { ScopeParts } from './request-scope.ts'
import { savepointOptions, sessionRequired, transactionRolledBack } from './scope-refusals.ts'
import { withOutcome } from './transaction-outcome.ts'
import { wordsOf } from './wire/control-statement.ts'
import type { Front } from './wire/front.ts'
import type { FrontListener } from './wire/front-options.ts'
import { startupMessage, type TransactionStatus } from './wire/messages.ts'
import { beginTag, commits, endTag } from './wire/transaction-control.ts'

const LISTENS = /\b(un)?listen\b/i

/** Hears nothing, and says nothing. */
const NOBODY: FrontListener = { data() {}, error() {}, released() {}, closed() {} }

const savepoints = new WeakMap<OpenTransaction, number>()

/** A name that no other client of the transaction has. */
function nextSavepoint(whole: OpenTransaction): string {
  const count = (savepoints.get(whole) ?? 0) + 1
  savepoints.set(whole, count)
  return `neon_${count}`
}

/** What one client of Neon's driver takes for its session: a part of a request's connection. */
export class NeonSession implements NeonHost {
  readonly #parts: ScopeParts
  #open: OpenFront | undefined
  #front: Front | undefined
  /** Its own transaction, where the request is one. */
  #savepoint: NeonSavepoint | undefined
  /** Whether the one before has failed to be begun or committed: a ROLLBACK behind that has nothing to do. */
  #isOver = false

  constructor(parts: ScopeParts) {
    this.#parts = parts
  }

  admit(text: string): void {
    const { connection, identity } = this.#parts
    connection.admit()
    this.#open ??= connection.clients.prepareFront(identity)
    // Also where there is a session: what is notified between two statements would be told to nobody.
    if (LISTENS.test(text) && findSessionState(text).state === 'listen') {
      throw sessionRequired('LISTEN')
    }
  }

  connect(listener: FrontListener): DriverConnection {
    const { connection, identity, open: whole } = this.#parts
    const open = this.#open ?? connection.clients.prepareFront(identity)
    if (!whole) return this.#use(open(listener, { stays: true }))
    // A transaction belongs to whoever is first in it, which must not be a client that can leave.
    if (!whole.entered) {
      whole.enter((options) => open(NOBODY, options)).write(startupMessage({}))
    }
    const front = this.#use(whole.enter((options) => open(listener, options)))
    return {
      write: (bytes, taken) => front.write(bytes, taken),
      // Nobody leaves the transaction of the request by leaving it.
      end: () => undefined,
      pause: () => front.pause(),
      resume: () => front.resume(),
      failure: undefined,
      failing: false,
    }
  }

  #use(front: Front): Front {
    this.#front = front
    return front
  }

  revise(text: string): Revised {
    const whole = this.#parts.open
    if (!whole) return { text, send: (statement) => statement() }
    const words = wordsOf(text) ?? ''
    const savepoint = this.#savepoint
    if (!savepoint) {
      return beginTag(words)
        ? this.#begin(words, whole)
        : { text, send: sendInTurn(whole.nesting, this) }
    }
    const end = endTag(words)
    if (!end) return { text, send: savepoint.send }
    this.#savepoint = undefined
    const what = end === 'COMMIT' ? 'release' : 'rollback to'
    return { text: `${what} ${savepoint.name}`, send: this.#noting(savepoint.end) }
  }

  #begin(words: string, whole: OpenTransaction): Revised {
    if (!/^(begin( work| transaction)?|start transaction)$/.test(words)) throw savepointOptions()
    const savepoint = new NeonSavepoint(nextSavepoint(whole), whole, this)
    this.#savepoint = savepoint
    const begin: Send = (statement) =>
      savepoint.begin(statement).catch((error: unknown) => {
        if (this.#savepoint === savepoint) this.#savepoint = undefined
        throw error
      })
    return { text: `savepoint ${savepoint.name}`, send: this.#noting(begin) }
  }

  #noting(send: Send): Send {
    return async (statement) => {
      this.#isOver = true
      const result = await send(statement)
      this.#isOver = false
      return result
    }
  }

  settle(error: unknown, text: string): unknown {
    const words = wordsOf(text) ?? ''
    // With its connection a transaction has ended, and there is nothing to roll back.
    const lost = NullpoolError.is(error)
    const rollsBack = endTag(words) === 'ROLLBACK'
    if (rollsBack && (lost || this.#isOver)) {
      this.#isOver = false
      return answer('ROLLBACK')
    }
    if (!commits(words)) throw error
    // What the server has confirmed is so, whatever came behind.
    if (lost && this.#front?.transaction.outcome === 'committed') return answer('COMMIT')
    throw this.#explain(error)
  }

  /** What became of the transaction that was to be committed. */
  #explain(error: unknown): unknown {
    const rolledBack = error instanceof Error && 'code' in error && error.code === '40000'
    if (rolledBack) return transactionRolledBack(error)
    const mayTell = NullpoolError.is(error) && !error.outcome
    return mayTell && this.#front ? withOutcome(error, this.#front.transaction.outcome) : error
  }

  isInTransaction(status: TransactionStatus): boolean {
    return this.#parts.open ? this.inSavepoint : status !== 'I'
  }

  get inSavepoint(): boolean {
    return this.#savepoint !== undefined
  }
}

/** As the driver answers. */
function answer(command: string): object {
  return { command, rowCount: null, oid: null, rows: [], fields: [] }
}
