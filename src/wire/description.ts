import { decodeText, readUint32 } from './messages.ts'
import { RecentlyUsed } from './recently-used.ts'

/** A server's answer to the Describe of a statement. */
export interface Description {
  /** ParameterDescription. */
  parameters: Uint8Array
  /** RowDescription or NoData. */
  row: Uint8Array
}

/** About 1,000 statements of 1 KB; longer ones, which nobody writes by hand, push others out. */
const MAX_STATEMENTS = 1_000
const MAX_BYTES = 1_048_576

/** What this isolate has learned. It holds the text of statements, never a value. */
const learned = new RecentlyUsed<Description>(MAX_STATEMENTS, MAX_BYTES)

/** What a statement means depends on where it runs: server, database, user and search path. */
export type Place = string

/** A statement, for {@link recall} and {@link learn}: its text, and the types that its driver declares. */
export function statementKey(place: Place, parse: Uint8Array): string {
  const end = parse.indexOf(0, 6)
  const types: number[] = []
  for (let at = end + 3; at + 4 <= parse.length; at += 4) types.push(readUint32(parse, at))
  return `${place}\0${types}\0${decodeText(parse.subarray(6, end))}`
}

/** What is known of a statement. */
export function recall(key: string): Description | undefined {
  return learned.get(key)
}

/** Keeps copies: a message is a piece of a larger buffer. */
export function learn(key: string, { parameters, row }: Description): void {
  const bytes = key.length + parameters.length + row.length
  learned.set(key, { parameters: parameters.slice(), row: row.slice() }, bytes)
}

/** What was known may be out of date. */
export function forget(key: string): void {
  learned.delete(key)
}
