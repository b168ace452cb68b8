import { rolledBack } from './local-answers.ts'
import { Backend } from './messages.ts'
import { endOfCommit } from './transaction-control.ts'

/** What commits a transaction: the server may answer that it has rolled back, and calls it no error. */
export class Commit {
  /** What became of the transaction, once the server has told. */
  ended: ReturnType<typeof endOfCommit>

  /** What a driver gets of a reply. */
  pass(message: Uint8Array): Uint8Array {
    this.ended ??= endOfCommit(message)
    const isEnd = message[0] === Backend.commandComplete
    return isEnd && this.ended === 'rolled back' ? rolledBack() : message
  }
}
