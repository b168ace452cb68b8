import { Backend, statementMessages } from './messages.ts'
import type { Reply } from './replies.ts'

/** A setting that lasts as long as its transaction, and its value. */
export type Setting = readonly [name: string, value: string]

/** `"$user"` in a search path is the role. */
const MEANINGFUL = /^(search_path|role|session_authorization)$/i

const REPLIES = [
  Backend.parseComplete,
  Backend.bindComplete,
  Backend.dataRow,
  Backend.commandComplete,
] as const

/** Messages of the wire's own, and the replies to them, which nobody awaits. */
export interface Preparation {
  messages: readonly Uint8Array[]
  replies: readonly Reply[]
}

/**
 * A statement that does nothing and needs no snapshot. The server takes the first statement of a flight for
 * the only one and lets it commit by itself: `VACUUM`, or a procedure that does.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
export const NOT_ALONE: Preparation = {
  messages: statementMessages('show is_superuser'),
  replies: REPLIES,
}

/** Settings that are made at the beginning of each transaction, by one statement with bound values. */
export class Prologue implements Preparation {
  /** Parse, Bind and Execute. */
  readonly messages: readonly Uint8Array[]
  /** What the server says to them. */
  readonly replies: readonly number[] = REPLIES
  /** Those of them that decide what statements mean. */
  readonly meaning: string

  constructor(settings: readonly Setting[]) {
    const calls = settings.map(
      (_, at) => `pg_catalog.set_config($${at * 2 + 1},$${at * 2 + 2},true)`,
    )
    this.messages = statementMessages(`select ${calls.join(',')}`, settings.flat())
    this.meaning = JSON.stringify(settings.filter(([name]) => MEANINGFUL.test(name)))
  }
}
