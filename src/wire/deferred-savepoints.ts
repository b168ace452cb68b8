import { Backend, statementMessages } from './messages.ts'
import type { Preparation } from './prologue.ts'

const REPLIES = [Backend.parseComplete, Backend.bindComplete, Backend.commandComplete]

/** A lone statement that cannot fail in a transaction that has not. */
const BEGINS = /^\s*savepoint\s+"(?:[^"\0]|"")+"\s*;?\s*$/i

/** Nobody else names one so. */
const OWN = /^(savepoint|release|rollback to) "nullpool (\d+)/

/** Without one of these words nothing ends a savepoint. */
const MAY_END = /\b(?:release|rollback)\b/i

/** The name of a savepoint of our own, quoted, with what its user calls it. */
export function ownSavepoint(count: number, name: string): string {
  return `"nullpool ${count}${name ? ` ${name.replaceAll('"', '""')}` : ''}"`
}

/**
 * Savepoints that are begun, and those of our own that are released, without the server's having heard of
 * it: the statements travel with what comes next, so that they cost no trip. One in which nothing happens
 * costs none at all. Without its release each savepoint would lie in the one before, and the server would
 * search them all for every row.
 */
export class DeferredSavepoints {
  #waiting: string[] = []
  /** The numbers of our own of which one was spoken of last, and of which one may have ended without us. */
  #last = 0
  #doubtful = 0

  /** Whether something is to travel with what comes next. */
  get waiting(): boolean {
    return this.#waiting.length > 0
  }

  /** Takes the text of each statement: going back to a savepoint ends all that came behind it. */
  look(text: string): void {
    const own = OWN.exec(text)
    if (own) this.#last = Math.max(this.#last, Number(own[2]))
    else if (MAY_END.test(text)) this.#doubtful = this.#last
  }

  /**
   * Takes a statement that begins a savepoint or releases one of our own.
   *
   * @returns its command tag, or nothing for every other statement.
   */
  defer(text: string): 'SAVEPOINT' | 'RELEASE' | undefined {
    if (BEGINS.test(text)) {
      this.#waiting.push(text)
      return 'SAVEPOINT'
    }
    const [, what, count] = OWN.exec(text) ?? []
    if (what !== 'release') return undefined
    const begins = text.replace('release', 'savepoint')
    if (this.#waiting.at(-1) === begins) this.#waiting.pop()
    else if (Number(count) > this.#doubtful) this.#waiting.push(text)
    return 'RELEASE'
  }

  /** What is to travel now, in the order in which it came. */
  take(): string[] {
    return this.#waiting.splice(0)
  }

  /** Nothing of it has left after all. */
  restore(texts: readonly string[]): void {
    this.#waiting.unshift(...texts)
  }
}

/** The messages of such statements, and the replies to them. */
export function preparationOf(texts: readonly string[]): Preparation {
  return {
    messages: texts.flatMap((text) => statementMessages(text)),
    replies: texts.flatMap(() => REPLIES),
  }
}
