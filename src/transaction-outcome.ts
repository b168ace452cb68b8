import { NullpoolError, type TransactionOutcome } from './errors.ts'

/** Without a connection there was no transaction, and its end would be news of something else. */
const CONNECTING = /^ERR_(?:CONNECT|TLS|AUTH|DATABASE|TENANT|ACCESS)_/

/**
 * The same error, with what became of the transaction that it ended.
 *
 * @param words - How the message says it.
 */
export function withOutcome(
  cause: NullpoolError,
  outcome: TransactionOutcome,
  words: string = wordsFor(cause, outcome),
): NullpoolError {
  const { code, message, hint = '', retryable } = cause
  const said = message.endsWith(hint) ? message.slice(0, message.length - hint.length) : message
  const all = `${said.trimEnd()} ${words}`.trimEnd()
  return new NullpoolError(code, all, { cause, hint: cause.hint, retryable, outcome })
}

function wordsFor({ code }: NullpoolError, outcome: TransactionOutcome): string {
  if (outcome === 'unknown') return 'Whether the transaction was committed is not known.'
  return CONNECTING.test(code) ? '' : `The transaction was ${outcome}.`
}
