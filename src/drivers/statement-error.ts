import { decodeText } from '../wire/messages.ts'

/**
 * The fields of an ErrorResponse, by their letters and by the names that node-postgres has for them.
 *
 * @see https://www.postgresql.org/docs/current/protocol-error-fields.html
 */
const FIELDS = {
  V: 'severity',
  C: 'code',
  D: 'detail',
  H: 'hint',
  P: 'position',
  p: 'internalPosition',
  q: 'internalQuery',
  W: 'where',
  s: 'schema',
  t: 'table',
  c: 'column',
  d: 'dataType',
  n: 'constraint',
  F: 'file',
  L: 'line',
  R: 'routine',
} as const

/** What the server says beside its message. */
export type StatementErrorFields = Partial<Record<(typeof FIELDS)[keyof typeof FIELDS], string>>

/** What the server says of a statement that has failed. */
export class StatementError extends Error {
  /** As postgres.js calls it; literal, because minifiers rename classes. */
  override readonly name: string = 'PostgresError'
  /** The SQLSTATE. */
  readonly code: string
  readonly fields: StatementErrorFields

  /** Takes the server's words. */
  constructor(message: string, fields: StatementErrorFields) {
    super(message)
    this.fields = fields
    this.code = fields.code ?? ''
  }
}

/** Reads ErrorResponse. */
export function readStatementError(message: Uint8Array): StatementError {
  const letters = new Map<string, string>()
  for (const field of decodeText(message.subarray(5)).split('\0')) {
    if (field) letters.set(field.charAt(0), field.slice(1))
  }
  const severity = letters.get('S')
  const fields: StatementErrorFields = severity === undefined ? {} : { severity }
  for (const [letter, name] of Object.entries(FIELDS)) {
    const value = letters.get(letter)
    if (value !== undefined) fields[name] = value
  }
  return new StatementError(letters.get('M') ?? '', fields)
}
