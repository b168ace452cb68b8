import { type Description, type Descriptions, type Place, statementKey } from './description.ts'
import { Backend } from './messages.ts'
import type { Expected } from './replies.ts'

/** What a server says of the rows of a statement. */
export const ROW: readonly number[] = [Backend.rowDescription, Backend.noData]

/** Whether a Flush now asks what the unnamed statement takes and gives, and for nothing else. */
export function asksToDescribe(flight: {
  requests: string
  localAnswer: Uint8Array | undefined
}): boolean {
  return flight.requests === 'PD' && !flight.localAnswer
}

/**
 * The question of a driver, before it sends values, what a statement takes and gives. This isolate
 * answers it where it has heard the answer before.
 */
export class Describing {
  /** The Parse of the statement. */
  readonly parse: Uint8Array
  #place: Place
  #name: string
  #known: ReturnType<Descriptions['recall']>

  constructor(place: Place, parse: Uint8Array) {
    this.parse = parse
    this.#place = place
    this.#name = place.name()
    this.#known = place.known.recall(statementKey(this.#name, parse))
  }

  /** What a server would answer, where it is known. */
  get answer(): Uint8Array | undefined {
    return this.#known?.answer
  }

  /** Lets the server's answer pass, and learns it. */
  learning(): Expected[] {
    let parameters: Uint8Array | undefined
    const noteParameters = (message: Uint8Array): boolean => {
      parameters = message
      return false
    }
    const noteRow = (row: Uint8Array): boolean => {
      if (parameters) this.#learn({ parameters, row })
      return false
    }
    return [
      { types: [Backend.parameterDescription], hides: noteParameters },
      { types: ROW, hides: noteRow },
    ]
  }

  /**
   * Keeps the server's answer from a driver that was given ours. Where the two differ, the row is the
   * server's; values were already written for the types that were known, which holds for this one flight.
   */
  checking(): Expected[] {
    const known = this.#known
    let parameters = known?.parameters
    const noteParameters = (message: Uint8Array): boolean => {
      parameters = message
      return true
    }
    const compare = (row: Uint8Array): boolean => {
      const same = known !== undefined && equal(known.row, row)
      const isKnown = same && this.#name === this.#place.name()
      if (parameters && !(isKnown && equal(known.parameters, parameters))) {
        this.#learn({ parameters, row })
      }
      return same
    }
    return [
      { types: [Backend.parseComplete], hides: () => true },
      { types: [Backend.parameterDescription], hides: noteParameters },
      { types: ROW, hides: compare },
    ]
  }

  /** Whoever asks and sends no values wants to know how things are now, at least the next time. */
  forget(): void {
    this.#place.known.forget(statementKey(this.#name, this.parse))
  }

  /** Where the answer comes, the server has told where that is. */
  #learn(description: Description): void {
    this.#place.known.learn(statementKey(this.#place.name(), this.parse), description)
  }
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at += 1) if (one[at] !== other[at]) return false
  return true
}
