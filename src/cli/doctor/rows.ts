import { decodeText, readUint32 } from '../../wire/messages.ts'

const NULL_LENGTH = 0xffff_ffff

/**
 * The values of a DataRow, as text.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export function readRow(message: Uint8Array): (string | null)[] {
  const values: (string | null)[] = []
  const count = ((message[5] ?? 0) << 8) | (message[6] ?? 0)
  let at = 7
  for (let column = 0; column < count; column++) {
    const length = readUint32(message, at)
    at += 4
    if (length === NULL_LENGTH) {
      values.push(null)
      continue
    }
    values.push(decodeText(message.subarray(at, at + length)))
    at += length
  }
  return values
}
