import { Backend, readCString, statementText } from './messages.ts'

/** What control words say, as `controlWords` gives them. */

const MODE =
  '(?: ,)?(?: isolation level (?:serializable|repeatable read|read (?:un)?committed)| read (?:only|write)|(?: not)? deferrable)'

/** `BEGIN` or `START TRANSACTION` with any modes. */
const BEGINS = new RegExp(`^(?:begin(?: work| transaction)?|start transaction)(?:${MODE})*$`)

const SETS_MODES = new RegExp(`^set transaction((?:${MODE})+)$`)

const COMMITS = /^(commit|end)( work| transaction)?$/

const ROLLS_BACK = /^(rollback|abort)( work| transaction)?$/

/** Statements with which a driver leaves a transaction, whatever became of it. */
const LEAVES = /^(commit|end|abort|prepare transaction|rollback(?! (work |transaction )?to\b))\b/

/** The command tag of a lone statement that begins a transaction. */
export function beginTag(words: string): 'BEGIN' | 'START TRANSACTION' | undefined {
  if (!BEGINS.test(words)) return undefined
  return words.startsWith('s') ? 'START TRANSACTION' : 'BEGIN'
}

/** The modes that a lone statement sets for the transaction at hand, as BEGIN takes them. */
export function modesOf(words: string): string | undefined {
  return SETS_MODES.exec(words)?.[1]
}

/** The command tag of a lone statement that ends a transaction. */
export function endTag(words: string): 'COMMIT' | 'ROLLBACK' | undefined {
  if (COMMITS.test(words)) return 'COMMIT'
  return ROLLS_BACK.test(words) ? 'ROLLBACK' : undefined
}

/** Whether a statement ends a transaction by committing or preparing it, whatever follows. */
export function commits(words: string): boolean {
  return /^(commit|end|prepare transaction)\b/.test(words)
}

/** Whether a driver that sends it is out of its transaction afterwards. */
export function leavesTransaction(words: string): boolean {
  return LEAVES.test(words)
}

/** Whether the end of a transaction is the beginning of the next. */
export function chains(words: string): boolean {
  return /^(commit|end|rollback|abort)\b.* and chain\b/.test(words)
}

/** Whether a statement may be a COPY: behind one from the client nothing but its rows may follow. */
export function mayCopy(statement: Uint8Array): boolean {
  return /\bcopy\b/i.test(statementText(statement))
}

/** What a reply to COMMIT says of its transaction. */
export function endOfCommit(reply: Uint8Array): 'committed' | 'rolled back' | undefined {
  if (reply[0] === Backend.errorResponse) return 'rolled back'
  if (reply[0] !== Backend.commandComplete) return undefined
  return readCString(reply, 5) === 'ROLLBACK' ? 'rolled back' : 'committed'
}
