import { parseComplete } from './local-answers.ts'
import { concat, decodeText, readUint32 } from './messages.ts'
import { RecentlyUsed } from './recently-used.ts'

/** A server's answer to the Describe of a statement. */
export interface Description {
  /** ParameterDescription. */
  parameters: Uint8Array
  /** RowDescription or NoData. */
  row: Uint8Array
}

/** The same, and what a driver is told that asks. */
interface Learned extends Description {
  /** ParseComplete and both of them. */
  answer: Uint8Array
}

/** About 1,000 statements of 1 KB; longer ones, which nobody writes by hand, push others out. */
const MAX_STATEMENTS = 1_000
const MAX_BYTES = 1_048_576

/** Where a statement runs: what it means depends on server, database, user, role and search path. */
export interface Place {
  /** What is known there. */
  readonly known: Descriptions
  /** Its name as it is now: before the first login the search path is a guess. */
  name(): string
}

/** A statement, for {@link Descriptions}: its text, and the types that its driver declares. */
export function statementKey(place: string, parse: Uint8Array): string {
  const end = parse.indexOf(0, 6)
  const types: number[] = []
  for (let at = end + 3; at + 4 <= parse.length; at += 4) types.push(readUint32(parse, at))
  return `${place}\0${types}\0${decodeText(parse.subarray(6, end))}`
}

/** Answers that were heard before. They hold the text of statements, never a value. */
export class Descriptions {
  #learned: RecentlyUsed<Learned>

  constructor(maxStatements: number, maxBytes: number) {
    this.#learned = new RecentlyUsed(maxStatements, maxBytes)
  }

  /** What is known of a statement. */
  recall(key: string): Learned | undefined {
    return this.#learned.get(key)
  }

  /** Keeps a copy: a message is a piece of a larger buffer. */
  learn(key: string, { parameters, row }: Description): void {
    const parse = parseComplete()
    const answer = concat([parse, parameters, row])
    const rowAt = parse.length + parameters.length
    const own = {
      parameters: answer.subarray(parse.length, rowAt),
      row: answer.subarray(rowAt),
      answer,
    }
    this.#learned.set(key, own, key.length + answer.length)
  }

  /** What was known may be out of date. */
  forget(key: string): void {
    this.#learned.delete(key)
  }
}

/** What this isolate has learned. */
export const ofIsolate: Descriptions = new Descriptions(MAX_STATEMENTS, MAX_BYTES)
