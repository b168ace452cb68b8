import { Backend, readCString, statementText } from './messages.ts'

/** Statements that begin or end a transaction, by themselves and nothing else. */

/** `BEGIN` or `START TRANSACTION` with any modes. */
const BEGINS =
  /^\s*(begin(\s+(work|transaction))?|start\s+transaction)(\s*,?\s*(isolation\s+level\s+(serializable|repeatable\s+read|read\s+(un)?committed)|read\s+(only|write)|(not\s+)?deferrable))*\s*;?\s*$/i

const COMMITS = /^\s*(commit|end)(\s+(work|transaction))?\s*;?\s*$/i

const ROLLS_BACK = /^\s*(rollback|abort)(\s+(work|transaction))?\s*;?\s*$/i

/** Statements with which a driver leaves a transaction, whatever became of it. */
const LEAVES =
  /^\s*(commit|end|abort|prepare\s+transaction|rollback(?!\s+(work\s+|transaction\s+)?to\b))/i

/** The longest statement looked at; nobody writes longer ones of these. */
const MAX_LENGTH = 200

/** The command tag of a lone statement that begins a transaction. */
export function beginTag(text: string): 'BEGIN' | 'START TRANSACTION' | undefined {
  if (text.length > MAX_LENGTH || !BEGINS.test(text)) return undefined
  return /^\s*s/i.test(text) ? 'START TRANSACTION' : 'BEGIN'
}

/** The command tag of a lone statement that ends a transaction. */
export function endTag(text: string): 'COMMIT' | 'ROLLBACK' | undefined {
  if (text.length > MAX_LENGTH) return undefined
  if (COMMITS.test(text)) return 'COMMIT'
  return ROLLS_BACK.test(text) ? 'ROLLBACK' : undefined
}

/** Whether a statement ends a transaction by committing it, whatever follows. */
export function commits(text: string): boolean {
  return /^\s*(commit|end)\b/i.test(text.slice(0, MAX_LENGTH))
}

/** Whether a driver that sends it is out of its transaction afterwards. */
export function leavesTransaction(text: string): boolean {
  return LEAVES.test(text.slice(0, MAX_LENGTH))
}

/** Whether a statement may be a COPY: behind one from the client nothing but its rows may follow. */
export function mayCopy(statement: Uint8Array): boolean {
  return /\bcopy\b/i.test(statementText(statement))
}

/** `T` and `E` in a ReadyForQuery. */
const IN_TRANSACTION = 0x54
const IN_FAILED_TRANSACTION = 0x45

/** The messages that end a transaction, one way or the other. */
export interface TransactionEnds {
  commit: Uint8Array
  rollback: Uint8Array
}

/** What ends a transaction of this status; nothing where there is none. */
export function endOf(
  { commit, rollback }: TransactionEnds,
  status: number | undefined,
): Uint8Array | undefined {
  if (status === IN_TRANSACTION) return commit
  return status === IN_FAILED_TRANSACTION ? rollback : undefined
}

/** What a reply to COMMIT says of its transaction. */
export function endOfCommit(reply: Uint8Array): 'committed' | 'rolled back' | undefined {
  if (reply[0] === Backend.errorResponse) return 'rolled back'
  if (reply[0] !== Backend.commandComplete) return undefined
  return readCString(reply, 5) === 'ROLLBACK' ? 'rolled back' : 'committed'
}
