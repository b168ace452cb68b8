import { NullpoolError, type TransactionOutcome } from './errors.ts'

/**
 * The same error, with what became of the transaction that it ended.
 *
 * @param words - How the message says it.
 */
export function withOutcome(
  cause: NullpoolError,
  outcome: TransactionOutcome,
  words: string = wordsFor(outcome),
): NullpoolError {
  const { code, message, hint = '', retryable } = cause
  const said = message.endsWith(hint) ? message.slice(0, message.length - hint.length) : message
  const all = `${said.trimEnd()} ${words}`
  return new NullpoolError(code, all, { cause, hint: cause.hint, retryable, outcome })
}

function wordsFor(outcome: TransactionOutcome): string {
  return outcome === 'unknown'
    ? 'Whether the transaction was committed is not known.'
    : `The transaction was ${outcome}.`
}
