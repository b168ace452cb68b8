import { Backend, statementMessages } from './messages.ts'

/** A setting that lasts as long as its transaction, and its value. */
export type Setting = readonly [name: string, value: string]

const REPLIES = [
  Backend.parseComplete,
  Backend.bindComplete,
  Backend.dataRow,
  Backend.commandComplete,
] as const

/** Settings that are made at the beginning of each transaction, by one statement with bound values. */
export class Prologue {
  /** Parse, Bind and Execute. */
  readonly messages: readonly Uint8Array[]
  /** What the server says to them. */
  readonly replies: readonly number[] = REPLIES
  /** Decides what statements mean. */
  readonly searchPath: string | undefined

  constructor(settings: readonly Setting[]) {
    const calls = settings.map((_, at) => `set_config($${at * 2 + 1},$${at * 2 + 2},true)`)
    this.messages = statementMessages(`select ${calls.join(',')}`, settings.flat())
    this.searchPath = settings.find(([name]) => name.toLowerCase() === 'search_path')?.[1]
  }
}
