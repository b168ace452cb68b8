import { statementKey } from './description.ts'
import type { Flight } from './flight.ts'
import { parseComplete } from './local-answers.ts'
import {
  ASIDES,
  Backend,
  concat,
  Frontend,
  frame,
  readErrorFields,
  readUint32,
  statementText,
  type TransactionStatus,
} from './messages.ts'
import type { Named, StatementNames } from './statement-names.ts'

/** After these no statement of the session has its name any more. */
const FORGETS = /\b(discard|deallocate(\s+prepare)?)\s+all\b/i

/** A name that no statement has: to close it is answered as Parse is, by one message without content. */
const NO_NAME = 'none'

/** A prologue, as `prologue.ts` writes it. */
const CALL = 'pg_catalog\\.set_config\\(\\$\\d+,\\$\\d+,true\\)'
const PROLOGUE = new RegExp(`^select ${CALL}(?:,${CALL})*$`)

/** Who gets the next answer to a Parse, a Bind or a Close. */
type Slot =
  | { of: 'parse'; named?: Named }
  | { of: 'bind'; harmless: boolean }
  | { of: 'substitute' | 'hidden'; closes: string }
  | { of: 'close' | 'sync' }

/** What is sent up to one Sync, or one Query, and what has come of it. */
interface Group {
  /** As the driver has written it. */
  messages: Uint8Array[]
  place: string | undefined
  closed: boolean
  /** Whether it is a transaction of its own. */
  opens: boolean
  /** Whether something in it goes by its name. */
  hits: boolean
  /** Answers that were passed on. */
  passed: number
  /** Whether something of it may have run that outlives its transaction. */
  ran: boolean
  again: boolean
  forgets: boolean
}

const ANSWERS: ReadonlySet<number> = new Set([
  Backend.parseComplete,
  Backend.bindComplete,
  Backend.closeComplete,
])

/**
 * Gives statements a name on one connection, so that the server parses and plans them once. No driver
 * sees it: the Parse of a statement that has a name leaves as a Close of nothing, whose answer has the
 * same shape, and what refers to it is led to the name.
 *
 * A statement that the server has forgotten, or whose rows have another shape by now, fails at its Bind
 * at the latest, before anything of it has run. It is then sent again without its name, unless it is in a
 * transaction, which its failure has ended.
 */
export class NamedStatements {
  #names: StatementNames
  #send: (bytes: Uint8Array) => void
  #greeted = false
  #slots: Slot[] = []
  #groups: Group[] = []
  /** The name of what drivers take for the unnamed statement. */
  #current = ''
  /** Whether that statement only makes settings of its transaction. */
  #harmless = false
  /** What that statement is where it has no name so far. */
  #unnamed = ''
  #repeat: Group | undefined
  #skip = 0

  /** Takes what sends a statement once more. */
  constructor(names: StatementNames, send: (bytes: Uint8Array) => void) {
    this.#names = names
    this.#send = send
  }

  /** Whether answers come a second time, which nobody is to see. */
  get skipping(): boolean {
    return this.#skip > 0
  }

  /** No statement has a name any more: the session was reset. */
  forgetAll(): void {
    this.#names.clear()
  }

  /** The bytes of a flight that may leave now. */
  take(flight: Flight, status: TransactionStatus): Uint8Array | undefined {
    const bytes = flight.take()
    return bytes && this.#rewrite(bytes, flight.receiver.placeName, status)
  }

  /** Takes an answer of the server; returns what is to be seen of it. */
  reply(message: Uint8Array): Uint8Array | undefined {
    const type = message[0] ?? 0
    if (!this.#greeted) {
      this.#greeted = type === Backend.readyForQuery
      return message
    }
    if (ASIDES.has(type)) return message
    if (type === Backend.errorResponse) return this.#failed(message)
    if (type === Backend.readyForQuery) return this.#ended(message)
    if (type === Backend.copyInResponse) this.#clear()
    const seen = ANSWERS.has(type) ? this.#answer(message) : message
    if (!seen) return undefined
    const [group] = this.#groups
    if (this.#skip === 0) {
      if (group) group.passed += 1
      return seen
    }
    this.#skip -= 1
    return undefined
  }

  #rewrite(bytes: Uint8Array, place: string | undefined, status: TransactionStatus): Uint8Array {
    this.#names.refresh()
    const leaving: Uint8Array[] = []
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + readUint32(bytes, at + 1)
      const message = bytes.subarray(at, end)
      const group = this.#group(place, status)
      group.messages.push(message)
      leaving.push(...this.#leave(message, group))
      at = end
    }
    return concat(leaving)
  }

  #group(place: string | undefined, status: TransactionStatus): Group {
    const last = this.#groups.at(-1)
    if (last && !last.closed) return last
    const nothing = { closed: false, hits: false, ran: false, again: false, forgets: false }
    const opens = status === 'I' && !last
    const group: Group = { messages: [], place, opens, passed: 0, ...nothing }
    this.#groups.push(group)
    return group
  }

  #leave(message: Uint8Array, group: Group): Uint8Array[] {
    const type = message[0]
    if (type === Frontend.parse) return this.#parse(message, group)
    if (type === Frontend.bind) {
      this.#slots.push({ of: 'bind', harmless: this.#harmless })
      // Not its Parse: a driver may ask first what a statement takes.
      if (this.#unnamed !== '') this.#names.noteRun(this.#unnamed)
      const at = message.indexOf(0, 5) + 1
      return [this.#current ? withName(message, at, this.#current) : message]
    }
    if (type === Frontend.describe) {
      const renamed = this.#current !== '' && message[5] === 0x53 && message[6] === 0
      return [renamed ? withName(message, 6, this.#current) : message]
    }
    if (type === Frontend.close) this.#slots.push({ of: 'close' })
    if (type === Frontend.query) {
      this.#current = ''
      group.forgets ||= FORGETS.test(statementText(message))
    }
    if (type === Frontend.query || type === Frontend.sync) {
      group.closed = true
      this.#slots.push({ of: 'sync' })
    }
    return [message]
  }

  #parse(message: Uint8Array, group: Group): Uint8Array[] {
    const text = statementText(message)
    const forgets = FORGETS.test(text)
    this.#current = ''
    this.#unnamed = ''
    this.#harmless = isPrologue(text)
    group.forgets ||= forgets
    const key = group.place === undefined || forgets ? '' : statementKey(group.place, message)
    const known = key === '' ? undefined : this.#names.find(key)
    if (known?.ready) return this.#use(known, group)
    // Whoever comes before the answer to the Parse goes without a name: the Parse may fail.
    if (key !== '' && !known && this.#names.hasRun(key)) return this.#name(key, message)
    this.#unnamed = known ? '' : key
    this.#slots.push({ of: 'parse' })
    return [message]
  }

  #use({ name }: Named, group: Group): Uint8Array[] {
    this.#current = name
    group.hits = true
    const closes = this.#names.takeUnused() ?? NO_NAME
    this.#slots.push({ of: 'substitute', closes })
    return [closeMessage(closes)]
  }

  #name(key: string, message: Uint8Array): Uint8Array[] {
    const named = this.#names.add(key)
    const closes = this.#names.takeUnused()
    if (closes !== undefined) this.#slots.push({ of: 'hidden', closes })
    this.#slots.push({ of: 'parse', named })
    this.#current = named.name
    const parse = withName(message, 5, named.name)
    return closes === undefined ? [parse] : [closeMessage(closes), parse]
  }

  /** What the driver gets of an answer that one of the slots is for. */
  #answer(message: Uint8Array): Uint8Array | undefined {
    const [slot] = this.#slots
    if (!slot || slot.of === 'sync') return message
    this.#slots.shift()
    const [group] = this.#groups
    if (slot.of === 'parse' && slot.named) slot.named.ready = true
    if (slot.of === 'bind' && !slot.harmless && group) group.ran = true
    if (slot.of === 'hidden') return undefined
    return slot.of === 'substitute' ? parseComplete() : message
  }

  #failed(message: Uint8Array): Uint8Array | undefined {
    this.#skip = 0
    const [group] = this.#groups
    if (!group?.hits || !isOutOfDate(message)) return message
    this.#names.expire()
    const hasNotRun = group.opens && group.closed && !group.ran
    const awaitsBind = this.#slots.some(({ of }) => of === 'bind')
    if (!hasNotRun || !awaitsBind || this.#groups.length > 1 || group.again) return message
    this.#repeat = group
    return undefined
  }

  #ended(message: Uint8Array): Uint8Array | undefined {
    this.#skip = 0
    const group = this.#groups.shift()
    for (let slot = this.#slots.shift(); slot && slot.of !== 'sync'; slot = this.#slots.shift()) {
      this.#drop(slot)
    }
    if (group?.forgets) this.forgetAll()
    if (!this.#repeat) return message
    this.#sendAgain(this.#repeat)
    return undefined
  }

  #sendAgain({ messages, place, passed }: Group): void {
    this.#repeat = undefined
    const bytes = this.#rewrite(concat(messages), place, 'I')
    for (const group of this.#groups) group.again = true
    this.#skip = passed
    this.#send(bytes)
  }

  /** An error has come in the place of the answer. */
  #drop(slot: Slot): void {
    if (slot.of === 'parse' && slot.named) this.#names.remove(slot.named)
    const isLeft = 'closes' in slot && slot.closes !== NO_NAME
    if (isLeft) this.#names.putBack(slot.closes)
  }

  /** In a COPY from the client the server looks at no Sync. */
  #clear(): void {
    for (const slot of this.#slots) this.#drop(slot)
    this.#slots = []
    this.#groups = []
  }
}

/** Whether a statement makes settings of its transaction and does nothing else. */
function isPrologue(text: string): boolean {
  return PROLOGUE.test(text)
}

/** The statement does not exist any more, or gives something else than it did. */
function isOutOfDate(message: Uint8Array): boolean {
  const { sqlState, routine } = readErrorFields(message)
  return sqlState === '26000' || (sqlState === '0A000' && routine === 'RevalidateCachedQuery')
}

function closeMessage(name: string): Uint8Array {
  return frame(Frontend.close, `S${name}\0`)
}

/** The same message with a name in the place of the empty one at `at`. */
function withName(message: Uint8Array, at: number, name: string): Uint8Array {
  return frame(message[0], message.subarray(5, at), name, message.subarray(at))
}
