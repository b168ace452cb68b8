import type { Flight } from './flight.ts'
import { errorResponse } from './local-answers.ts'
import { Frontend, statementText } from './messages.ts'
import { statementHeads } from './statement-heads.ts'
import { leavesTransaction, mayCopy } from './transaction-control.ts'

/** Words with which a statement begins or ends a transaction, where a function or a procedure cannot. */
const ENDS = /^(begin|start|commit|end|rollback|abort|prepare)$/

/** Words with which a statement begins or ends a transaction. */
const CONTROL = /^(begin|start|commit|end|rollback|abort|prepare|call|do)$/

/** Whether a flight begins or ends a transaction, or may. Savepoints are neither. */
export function controls({ statement }: Flight): boolean {
  const text = statement ? statementText(statement) : ''
  if (!/\b(begin|start|commit|end|rollback|abort|prepare)\b/i.test(text)) return false
  const heads = statementHeads(text)
  const [head] = heads ?? []
  if (heads?.length === 1 && head === 'rollback') return leavesTransaction(text)
  return !heads || heads.some((each) => ENDS.test(each))
}

export function concluding(): Uint8Array {
  return errorResponse(
    '2D000',
    'This transaction begins and ends by itself: return from the function to commit it, throw to roll it back.',
  )
}

/** Whether a part of a simple query could run in another transaction than its beginning. */
export function escapes({ statement }: Flight): boolean {
  if (statement?.[0] !== Frontend.query) return false
  const heads = statementHeads(statementText(statement))
  return !heads || (heads.length > 1 && heads.some((head) => CONTROL.test(head)))
}

export function escaping(): Uint8Array {
  return errorResponse(
    '0A000',
    'Several statements at once, of which one may begin or end a transaction, cannot run under settings of the transaction: send them one by one.',
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
  const copies = heads ? heads[0] === 'copy' : mayCopy(statement)
  return copies ? errorResponse('0A000', 'COPY cannot be part of a batch.') : undefined
}
