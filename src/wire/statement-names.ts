import { RecentlyUsed } from './recently-used.ts'

/** As many texts are remembered as the wire remembers descriptions. */
const MAX_TEXTS = 1_000

/** What the connections of one pool know together. */
export class StatementsInCommon {
  /** Statements that have been run before: what comes once needs no name. */
  readonly run: RecentlyUsed<true> = new RecentlyUsed(MAX_TEXTS)
  /** Rises when a statement turns out to be out of date: the others may be too. */
  epoch = 0
}

/** A statement that has a name on one connection, or will have once its Parse is answered. */
export interface Named {
  key: string
  name: string
  ready: boolean
}

/** The statements of one connection that have a name, the one that was used last at the end. */
export class StatementNames {
  #common: StatementsInCommon
  #max: number
  #known = new Map<string, Named>()
  #epoch: number
  #count = 0
  /** Names that nobody uses any more, still to be closed. */
  #unused: string[] = []

  /** Takes how many statements may have a name at a time. */
  constructor(common: StatementsInCommon, max: number) {
    this.#common = common
    this.#max = max
    this.#epoch = common.epoch
  }

  find(key: string): Named | undefined {
    const known = this.#known.get(key)
    if (!known?.ready) return known
    this.#known.delete(key)
    this.#known.set(key, known)
    return known
  }

  /** Whether a statement has been run before, on any connection. */
  hasRun(key: string): boolean {
    return this.#common.run.get(key) === true
  }

  /** It is run now. */
  noteRun(key: string): void {
    this.#common.run.set(key, true)
  }

  /** A new name; the one that was not used the longest gives way. */
  add(key: string): Named {
    this.#count += 1
    const named = { key, name: `n${this.#count}`, ready: false }
    this.#known.set(key, named)
    for (const oldest of this.#known.values()) {
      if (this.#known.size <= this.#max) break
      this.#known.delete(oldest.key)
      this.#unused.push(oldest.name)
    }
    return named
  }

  /** The server has not taken it. */
  remove(named: Named): void {
    if (this.#known.get(named.key) === named) this.#known.delete(named.key)
  }

  /** A name that is to be closed, if there is one. */
  takeUnused(): string | undefined {
    return this.#unused.pop()
  }

  /** It was not closed after all. */
  putBack(name: string): void {
    this.#unused.push(name)
  }

  /** A statement was found out of date; whatever has changed may concern every other one. */
  expire(): void {
    this.#common.epoch += 1
    this.refresh()
  }

  /** Lets go of all names where one was found out of date, on any connection. */
  refresh(): void {
    if (this.#epoch === this.#common.epoch) return
    this.#epoch = this.#common.epoch
    for (const { name } of this.#known.values()) this.#unused.push(name)
    this.#known.clear()
  }

  /** The server has let go of all of them. */
  clear(): void {
    this.#known.clear()
    this.#unused = []
  }
}
