import type { TextField } from './text-messages.ts'

/** What JSON says of a column beside its name: six numbers, and what they are. */
const FIELD_COST = 128

/** What follows a name in an object, and the quotes around it. */
const NAME_COST = 4

const [QUOTE, BACKSLASH, SPACE] = [34, 92, 32]

/** How many bytes the columns of RowDescription become, but for what has to be escaped in their names. */
export function fieldsBytes(message: Uint8Array): number {
  const count = ((message[5] ?? 0) << 8) | (message[6] ?? 0)
  return message.length + count * FIELD_COST
}

/** How many bytes the names of the columns add to a row that is an object. */
export function namesBytes(fields: readonly TextField[]): number {
  const names = new Set(fields.map(({ name }) => name))
  let sum = 0
  for (const name of names) {
    sum += new TextEncoder().encode(name).length + escapesBytes(name) + NAME_COST
  }
  return sum
}

/** How many bytes JSON adds to a text: a control character becomes six. */
export function escapesBytes(text: string | null): number {
  let sum = 0
  for (let at = 0; at < (text?.length ?? 0); at++) {
    const code = text?.charCodeAt(at) ?? SPACE
    if (code === QUOTE || code === BACKSLASH) sum += 1
    else if (code < SPACE) sum += 5
  }
  return sum
}
