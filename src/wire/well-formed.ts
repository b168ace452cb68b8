import { Backend, notPostgres } from './messages.ts'

/** What follows a column's name: table, attribute, type, length, modifier and format. */
const COLUMN_BYTES = 18

/** Everything that a server may answer to a flight. */
const ANSWERS: ReadonlySet<number> = new Set(
  Object.values(Backend).filter(
    (type) => type !== Backend.authentication && type !== Backend.backendKeyData,
  ),
)

/** Answers that say nothing but what they are. */
const EMPTY: ReadonlySet<number> = new Set([
  Backend.parseComplete,
  Backend.bindComplete,
  Backend.closeComplete,
  Backend.noData,
  Backend.emptyQueryResponse,
  Backend.portalSuspended,
  Backend.copyDone,
])

const STATUS = /[ITE]/

/**
 * Refuses an answer that cannot be handed to a driver. Drivers look for the NUL behind a name without
 * asking where the message ends, and would look for ever.
 *
 * @throws NullpoolError `ERR_PROTOCOL`.
 */
export function checkAnswer(message: Uint8Array): void {
  if (message[0] !== Backend.dataRow && !isWellFormed(message)) throw notPostgres()
}

function isWellFormed(message: Uint8Array): boolean {
  const type = message[0] ?? 0
  if (type === Backend.rowDescription) return endsWithColumns(message)
  if (type === Backend.parameterDescription) return message.length === 7 + 4 * count(message)
  if (type === Backend.notificationResponse) return message.indexOf(0, 9) > 0
  if (type === Backend.copyInResponse || type === Backend.copyOutResponse) {
    return message.length === 8 + 2 * count(message, 6)
  }
  if (type === Backend.readyForQuery) return message.length === 6 && STATUS.test(statusOf(message))
  if (EMPTY.has(type)) return message.length === 5
  return ANSWERS.has(type)
}

function endsWithColumns(message: Uint8Array): boolean {
  let at = 7
  for (let left = count(message); left > 0; left--) {
    const end = message.indexOf(0, at)
    if (end < 0) return false
    at = end + 1 + COLUMN_BYTES
  }
  return at === message.length
}

function count(message: Uint8Array, at = 5): number {
  return ((message[at] ?? 0) << 8) | (message[at + 1] ?? 0)
}

function statusOf(message: Uint8Array): string {
  return String.fromCharCode(message[5] ?? 0)
}
