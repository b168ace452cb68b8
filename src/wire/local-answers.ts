import { NullpoolError } from '../errors.ts'
import {
  Backend,
  type BackendKey,
  concat,
  Frontend,
  frame,
  type TransactionStatus,
  uint16,
  uint32,
} from './messages.ts'

/** What a driver is told in the server's place. */

/** An error of ours in the words of the protocol. */
export function errorResponse(code: string, message: string, hint?: string): Uint8Array {
  const more = hint ? `H${hint}\0` : ''
  return frame(Backend.errorResponse, `SERROR\0VERROR\0C${code}\0M${message}\0${more}\0`)
}

/** An error of this package, for a driver to pass on. */
export function refused({ code, message, hint }: NullpoolError): Uint8Array {
  return errorResponse(code, message, hint)
}

/** The answer to a Parse. */
export function parseComplete(): Uint8Array {
  return frame(Backend.parseComplete)
}

/** The answers to the messages of a flight of one statement that takes no values and gives no rows. */
export function answersWithoutRows(requests: readonly Uint8Array[], tag: string): Uint8Array {
  const isStatement = (request: Uint8Array): boolean => request[5] === 0x53
  const answers = requests.flatMap((request) => {
    if (request[0] === Frontend.parse) return [parseComplete()]
    if (request[0] === Frontend.bind) return [frame(Backend.bindComplete)]
    if (request[0] === Frontend.execute || request[0] === Frontend.query)
      return [commandComplete(tag)]
    if (request[0] === Frontend.close) return [frame(Backend.closeComplete)]
    if (request[0] !== Frontend.describe) return []
    const parameters = isStatement(request) ? [frame(Backend.parameterDescription, uint16(0))] : []
    return [...parameters, frame(Backend.noData)]
  })
  return concat(answers)
}

/** The end of a statement's answer, with its command tag. */
export function commandComplete(tag: string): Uint8Array {
  return frame(Backend.commandComplete, `${tag}\0`)
}

/** The answer to a Parse or a Query that no server is to see, if it is such a one. */
export function answerOf(statement: Uint8Array): Uint8Array | undefined {
  const isNamedOrEmpty = (statement[5] === 0) === (statement[0] === Frontend.query)
  if (!isNamedOrEmpty) return undefined
  return statement[0] === Frontend.query ? emptyQueryResponse() : namedStatementAnswer()
}

/** The answer to a statement without text, which is the same everywhere. */
export function emptyQueryResponse(): Uint8Array {
  return frame(Backend.emptyQueryResponse)
}

/** What a driver needs to hear to believe that it is logged in. */
export function localGreeting(key: BackendKey): Uint8Array {
  return concat([
    frame(Backend.authentication, uint32(0)),
    frame(Backend.backendKeyData, uint32(key.processId, key.secret)),
    readyForQuery('I'),
  ])
}

/** Tells a driver that it may send its next flight. */
export function readyForQuery(status: TransactionStatus): Uint8Array {
  return frame(Backend.readyForQuery, status)
}

/** The answer to a COMMIT behind a failed statement, which the server calls a success of another kind. */
export function rolledBack(): Uint8Array {
  return errorResponse(
    '40000',
    'COMMIT was answered by ROLLBACK: a statement before it had failed.',
  )
}

/** Behind a transaction-mode pooler nothing may have a name. */
export function namedStatementAnswer(): Uint8Array {
  const error = new NullpoolError(
    'ERR_PREPARED_STATEMENT',
    'A named prepared statement was refused: behind a transaction-mode pooler it belongs to whoever gets that connection next.',
    { hint: 'Leave the name out (prepare: false), or use a direct connection.' },
  )
  return refused(error)
}
