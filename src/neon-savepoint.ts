import type { Nesting } from './nesting.ts'
import type { OpenTransaction } from './open-transaction.ts'
import { savepointRolledBack } from './scope-refusals.ts'

/** Sends a statement, and settles with it. */
export type Send = <T>(statement: () => Promise<T>) => Promise<T>

/** Sends statements of a client behind savepoints that the code at hand is outside of. */
export function sendInTurn(nesting: Nesting, client: object): Send {
  return <T>(statement: () => Promise<T>): Promise<T> => {
    let [resolve, reject] = [(_: T): void => undefined, (_: unknown): void => undefined]
    const sent = new Promise<T>((onResolve, onReject) => {
      resolve = onResolve
      reject = onReject
    })
    nesting.inTurn(sent, client, () => void statement().then(resolve, reject), reject)
    return sent
  }
}

/**
 * A transaction of a client inside of a request's: a savepoint, which the client ends when it likes. Until
 * then statements from outside of it wait, as they do for any other.
 */
export class NeonSavepoint {
  readonly name: string
  readonly #whole: OpenTransaction
  readonly #send: Promise<Send>
  #leave: () => void = () => undefined
  /** Settles with the statement that ends it, once there is one. */
  #ending: Promise<unknown> | undefined

  constructor(name: string, whole: OpenTransaction, client: object) {
    this.name = name
    this.#whole = whole
    const left = new Promise<void>((resolve) => {
      this.#leave = resolve
    })
    this.#send = new Promise((resolve, reject) => {
      const work = (nesting: Nesting): Promise<void> => {
        const closed = nesting.opens(client, () => this.#ending ?? this.#rollBack())
        resolve(sendInTurn(nesting, client))
        return left.then(closed)
      }
      whole.nesting.enter(client, work).catch(reject)
    })
    this.#send.catch(() => undefined)
  }

  /** Sends the statement that begins it, once nothing else is under way; the others come behind it. */
  readonly begin: Send = async (statement) => {
    try {
      return await this.send(statement)
    } catch (error) {
      this.#leave()
      throw error
    }
  }

  /** Sends a statement in it. */
  readonly send: Send = async (statement) => {
    const send = await this.#send
    return send(statement)
  }

  /** Sends the statement that ends it, and lets others go on. Whatever becomes of it, it is ended. */
  readonly end: Send = async (statement) => {
    const ending = this.send(statement).catch(async (error: unknown) => {
      // Its client may have gone before.
      await this.#rollBack().catch(() => undefined)
      throw isRefused(error) ? savepointRolledBack() : error
    })
    this.#ending = ending
    try {
      return await ending
    } finally {
      this.#leave()
    }
  }

  #rollBack(): Promise<unknown> {
    return this.#whole.rollBackTo(this.name)
  }
}

/** Whether a statement before has failed. */
function isRefused(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '25P02'
}
