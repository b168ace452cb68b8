import { Delivery } from './delivery.ts'
import { Flight } from './flight.ts'
import type { FlightReceiver } from './flight-receiver.ts'
import { Backend, concat, syncMessage } from './messages.ts'

const ENDS: ReadonlySet<number> = new Set([Backend.commandComplete, Backend.emptyQueryResponse])

/** What ends the answer to a question, which needs nobody's word. */
const ENDS_OF_QUESTION: ReadonlySet<number> = new Set([Backend.rowDescription, Backend.noData])

/** Several flights as one: their messages behind each other and a single Sync, so all or nothing. */
export class BatchFlight extends Flight {
  readonly parts: readonly Flight[]
  /** The part that has failed, and has been told so. */
  failed: Flight | undefined
  /** Whether its parts are not to hear of it any more. */
  muted = false
  /** Ends of parts, which count only once everything has ended. */
  readonly ends: Map<Flight, Uint8Array> = new Map()
  #asks: boolean
  #at = 0
  #delivery = new Delivery()

  /** @param asks - Whether the parts want to know what they take and give, and do not run yet. */
  constructor(receiver: FlightReceiver, parts: readonly Flight[], asks: boolean) {
    super(receiver)
    this.parts = parts
    this.#asks = asks
    this.add(concat(parts.map(withoutSync)))
    this.add(syncMessage())
    this.queries = asks ? 0 : parts.length
    this.statement = undefined
  }

  /** The parts get theirs as it comes; nothing but the ReadyForQuery is the receiver's. */
  override reply(message: Uint8Array): Uint8Array | undefined {
    const type = message[0] ?? 0
    if (type === Backend.readyForQuery || !this.replies.settled) {
      const passed = super.reply(message)
      if (type === Backend.readyForQuery || !passed) return passed
    }
    // An error behind the last end is one of the COMMIT that the Sync implies.
    const part = this.parts[this.#at] ?? this.parts.at(-1)
    if (!part) return undefined
    const reply = part.reply(message)
    const ends = (this.#asks ? ENDS_OF_QUESTION : ENDS).has(type)
    if (reply && ends && !this.#asks) this.ends.set(part, reply)
    else if (reply) this.#handOn(part, this.#delivery.add(reply))
    if (type === Backend.errorResponse) this.failed = part
    if (ends || this.failed) this.#handOn(part, this.#delivery.take())
    if (ends) this.#at += 1
    return undefined
  }

  override get passesRows(): boolean {
    return false
  }

  #handOn({ receiver }: Flight, piece: Uint8Array | undefined): void {
    if (piece && !this.muted) receiver.receive(piece)
  }
}

function withoutSync(part: Flight): Uint8Array {
  const messages = part.take() ?? new Uint8Array()
  return messages.subarray(0, messages.length - syncMessage().length)
}
