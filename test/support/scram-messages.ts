import type { ScramAnswer } from './scram-server.ts'

/** The payload of a SASLInitialResponse. */
export function initial(clientFirst: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(Buffer.byteLength(clientFirst))
  return Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), length, Buffer.from(clientFirst)])
}

/** What the server says, or an error where it refuses. */
export function words(answer: ScramAnswer): string {
  if ('failure' in answer) throw new Error(`The server refused: ${answer.failure}.`)
  return answer.message
}
