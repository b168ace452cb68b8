// A very small Postgres behind a MemoryPeer: it runs no SQL, but it is strict about the protocol. Sync is
// ignored during COPY from the client, messages are skipped after an error up to the Sync, a transaction
// that failed answers ROLLBACK to COMMIT.

import type { MemoryPeer } from './memory-server.ts'
import { words } from './scram-messages.ts'
import { type ScramSecret, ScramServer } from './scram-server.ts'
import * as server from './server-messages.ts'
import type { Frame } from './wire-messages.ts'

/**
 * Understands `begin`, `commit`, `rollback`, `rows N`, `rows $1`, `fail`, `copy in`, `copy out N`, `insert …`, `show …`, and never answers `hang`.
 */
export class MemoryBackend {
  status: 'I' | 'T' | 'E' = 'I'
  /** Every statement that was begun, in order. */
  readonly statements: string[] = []
  /** What a transaction of its own, or one that was committed, inserted. */
  readonly committed: string[] = []
  /** Whether the client said goodbye, and what the status was. */
  goodbye: 'I' | 'T' | 'E' | undefined
  readonly #peer: MemoryPeer
  #pending: string[] = []
  #skipping = false
  #copying: 'simple' | 'extended' | undefined
  #text = ''
  #portal: string[] | undefined
  #value = ''

  constructor(peer: MemoryPeer) {
    this.#peer = peer
  }

  /** Lets the client in, by its password where a secret is given, then answers until it says goodbye. */
  async serve(secret?: ScramSecret): Promise<void> {
    await this.#peer.expect('Startup')
    if (secret) await this.#logIn(new ScramServer(secret))
    this.#peer.send(server.authenticationOk)
    this.#peer.send(server.greeting)
    for (;;) {
      const frame = await this.#peer.next()
      if (frame.tag === 'X') {
        this.goodbye = this.status
        return this.#peer.finish()
      }
      const answer = this.#answer(frame)
      this.#peer.send(...answer)
    }
  }

  async #logIn(scram: ScramServer): Promise<void> {
    this.#peer.send(server.authentication(10, Buffer.from('SCRAM-SHA-256\0\0')))
    const first = scram.first((await this.#peer.next()).payload)
    this.#peer.send(server.authentication(11, Buffer.from(words(first))))
    const last = scram.final((await this.#peer.next()).payload)
    this.#peer.send(server.authentication(12, Buffer.from(words(last))))
  }

  #answer({ tag, payload }: Frame): Buffer[] {
    if (this.#copying) return this.#copy(tag, this.#copying)
    if (tag === 'S') return this.#sync()
    if (this.#skipping) return []
    if (tag === 'Q' && payload.toString() === 'hang\0') return []
    if (tag === 'Q') return [...this.#simple(strings(payload)[0] ?? ''), ...this.#readyUnlessCopy()]
    if (tag === 'P') {
      this.#text = strings(payload)[1] ?? ''
      return [server.parseComplete]
    }
    if (tag === 'B') {
      this.#portal = undefined
      this.#value = firstValue(payload)
      return [server.bindComplete]
    }
    if (tag === 'D') return this.#describe(payload.toString('latin1', 0, 1))
    if (tag === 'E') return this.#execute(payload.readUInt32BE(payload.length - 4))
    if (tag === 'C') return [server.closeComplete]
    // Flush: everything is sent at once. CopyData, CopyDone and CopyFail outside of a COPY are void.
    return []
  }

  #describe(what: string): Buffer[] {
    const columns = /^rows/.test(this.#text) ? server.rowDescription : server.noData
    return what === 'S' ? [server.parameterDescription(1), columns] : [columns]
  }

  #simple(text: string): Buffer[] {
    if (text === '') return [server.emptyQueryResponse]
    const { rows, messages } = this.#begin(text, 'simple')
    if (!rows) return messages
    const found = rows.map(server.dataRow)
    return [server.rowDescription, ...found, server.commandComplete(`SELECT ${rows.length}`)]
  }

  #execute(limit: number): Buffer[] {
    if (!this.#portal) {
      const { rows, messages } = this.#begin(this.#text, 'extended')
      if (!rows) return messages
      this.#portal = rows
    }
    const some = this.#portal.splice(0, limit === 0 ? this.#portal.length : limit)
    const more = limit > 0 && some.length === limit
    const end = more ? server.portalSuspended : server.commandComplete(`SELECT ${some.length}`)
    return [...some.map(server.dataRow), end]
  }

  #begin(text: string, how: 'simple' | 'extended'): { rows?: string[]; messages: Buffer[] } {
    this.statements.push(text)
    if (this.status === 'E' && !/^(commit|rollback)/.test(text)) return { messages: this.#fail() }
    const [word = '', count = '0'] = text.split(' ')
    if (word === 'rows') {
      const length = Number(count === '$1' ? this.#value : count)
      return { rows: Array.from({ length }, (_, at) => `row ${at}`), messages: [] }
    }
    if (/^(select pg_catalog.set_config|show )/.test(text)) return { rows: ['set'], messages: [] }
    if (word === 'fail') return { messages: this.#fail() }
    if (text === 'copy in') {
      this.#copying = how
      return { messages: [server.copyInResponse] }
    }
    if (text.startsWith('copy out')) return { messages: copyOut(Number(text.split(' ')[2])) }
    if (word === 'insert') this.#pending.push(text)
    const tag = /^rollback to/.test(text) ? this.#resume() : this.#end(word)
    return { messages: [server.commandComplete(tag)] }
  }

  /** What a statement does to the transaction. */
  #end(word: string): string {
    const failed = this.status === 'E'
    if (word === 'begin') this.status = 'T'
    if (word === 'commit' || word === 'rollback') this.status = 'I'
    if (word === 'rollback' || failed) this.#pending = []
    return failed ? 'ROLLBACK' : word.toUpperCase()
  }

  /** Back to a savepoint. */
  #resume(): string {
    if (this.status === 'E') this.status = 'T'
    return 'ROLLBACK'
  }

  #fail(): Buffer[] {
    if (this.status === 'T') this.status = 'E'
    else if (this.status === 'I') this.#pending = []
    this.#skipping = true
    return [server.errorMessage('ERROR', '22012', 'division by zero')]
  }

  #sync(): Buffer[] {
    this.#skipping = false
    // What is not in a transaction is one up to here.
    if (this.status === 'I') this.committed.push(...this.#pending.splice(0))
    return [server.ready(this.status)]
  }

  #readyUnlessCopy(): Buffer[] {
    return this.#copying ? [] : this.#sync()
  }

  #copy(tag: string, how: 'simple' | 'extended'): Buffer[] {
    // Flush and Sync are ignored, "for the convenience of client libraries" (copyfromparse.c).
    if (tag !== 'c' && tag !== 'f') return []
    this.#copying = undefined
    const answer = tag === 'c' ? [server.commandComplete('COPY 1')] : this.#fail()
    return how === 'simple' ? [...answer, ...this.#sync()] : answer
  }
}

function copyOut(count: number): Buffer[] {
  const lines = Array.from({ length: count }, (_, at) => server.copyData(`line ${at}\n`))
  return [
    server.copyOutResponse,
    ...lines,
    server.copyDone,
    server.commandComplete(`COPY ${count}`),
  ]
}

function strings(payload: Buffer): string[] {
  return payload.toString().split('\0')
}

/** The first value of a Bind, as text. */
function firstValue(payload: Buffer): string {
  const names = payload.indexOf(0, payload.indexOf(0) + 1) + 1
  const values = names + 2 + 2 * payload.readUInt16BE(names)
  if (payload.readUInt16BE(values) === 0) return ''
  return payload.toString('utf8', values + 6, values + 6 + payload.readUInt32BE(values + 2))
}
