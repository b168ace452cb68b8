import { controlWords } from './control-statement.ts'
import type { Flight } from './flight.ts'
import { errorResponse } from './local-answers.ts'
import { Frontend, statementText } from './messages.ts'
import { SqlLexer } from './sql-lexer.ts'
import { statementHeads } from './statement-heads.ts'
import { leavesTransaction, mayCopy } from './transaction-control.ts'

/** Words with which a statement begins or ends a transaction, where a function or a procedure cannot. */
const ENDS = /^(begin|start|commit|end|rollback|abort|prepare)$/

/** Words with which a statement begins or ends a transaction. */
const CONTROL = /^(begin|start|commit|end|rollback|abort|prepare|call|do)$/

/** How statements begin that no server takes in a transaction; of others, it says so by itself. */
const ALONE =
  /^(vacuum|alter system|(create|drop) (database|tablespace)|(create( unique)?|drop) index concurrently|reindex (database|system|schema|(index|table) concurrently))\b/

const WORDS_OF_BEGINNING = 4

/** Whether a flight begins or ends a transaction, or may. Savepoints are neither. */
export function controls({ statement }: Flight): boolean {
  if (!statement) return false
  const words = controlWords(statement)
  const heads = isQuery(statement) ? statementHeads(statementText(statement)) : undefined
  if (heads && heads.length > 1) return heads.some((each) => ENDS.test(each))
  // Of a text that could be read in two ways the server takes one statement: it is sent as such.
  if (words?.startsWith('rollback')) return leavesTransaction(words)
  return words !== undefined && !words.startsWith('set')
}

/** Whether a simple query could be one statement or several, depending on the server's settings. */
export function isUncertain({ statement }: Flight): boolean {
  return !!statement && isQuery(statement) && !statementHeads(statementText(statement))
}

function isQuery(statement: Uint8Array): boolean {
  return statement[0] === Frontend.query
}

export function concluding(): Uint8Array {
  return errorResponse(
    '2D000',
    'This transaction begins and ends by itself: return from the function to commit it, throw to roll it back.',
  )
}

/** Whether a part of a simple query could run in another transaction than its beginning. */
export function escapes({ statement }: Flight): boolean {
  if (!statement || !isQuery(statement)) return false
  const heads = statementHeads(statementText(statement)) ?? []
  return heads.length > 1 && heads.some((head) => CONTROL.test(head))
}

export function escaping(): Uint8Array {
  return errorResponse(
    '0A000',
    'Several statements at once, of which one may begin or end a transaction, cannot run under settings of the transaction: send them one by one.',
  )
}

export function chaining(): Uint8Array {
  return errorResponse(
    '0A000',
    'AND CHAIN would begin a transaction without its settings: begin the next one by itself.',
  )
}

/** What a statement is told that cannot be one of several in a single flight. */
export function refusalInBatch(flight: Flight): Uint8Array | undefined {
  if (controls(flight)) return concluding()
  const { statement } = flight
  if (!statement) return undefined
  const heads = statementHeads(statementText(statement))
  if (heads && heads.length > 1) {
    return errorResponse('0A000', 'Each statement of a batch is one: give several as several.')
  }
  if (ALONE.test(beginningOf(statementText(statement)))) {
    return errorResponse(
      '25001',
      'This statement cannot be in a transaction, and a batch is one: send it by itself.',
    )
  }
  const copies = heads ? heads[0] === 'copy' : mayCopy(statement)
  return copies ? errorResponse('0A000', 'COPY cannot be part of a batch.') : undefined
}

/** The first words behind empty statements, in lower case, with one space between. */
function beginningOf(text: string): string {
  const words: string[] = []
  const lexer = new SqlLexer(text)
  while (words.length < WORDS_OF_BEGINNING && lexer.next()) {
    const isEmpty = words.length === 0 && lexer.value === ';'
    if (lexer.kind !== 'space' && !isEmpty) words.push(lexer.value.toLowerCase())
  }
  return words.join(' ')
}
