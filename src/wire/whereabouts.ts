import type { Change } from './changes-meaning.ts'
import { Descriptions, ofIsolate, type Place } from './description.ts'
import type { Credentials } from './handshake.ts'
import type { TransactionStatus } from './messages.ts'
import { RecentlyUsed } from './recently-used.ts'
import type { SearchPath } from './search-path.ts'
import type { Address } from './transport.ts'

const MAX_LOGINS = 100

/** The search path that each server, database and user began with the last time. */
const logins = new RecentlyUsed<string>(MAX_LOGINS)

/** As much is worth remembering where nothing means what it means elsewhere. */
const MAX_STRANGE = 100
const MAX_STRANGE_BYTES = 131_072

/** Where the statements of a connection run, as far as it decides what they mean. */
export class Whereabouts {
  #login: string
  #searchPath: SearchPath | undefined
  /** What is known since something has changed. */
  #strange: Descriptions | undefined
  /** Whether that outlives its transaction. */
  #lasts = false
  /** What changes something, and has not ended. */
  #changing = new Set<object>()

  constructor({ host, port }: Address, { database, user }: Credentials) {
    this.#login = [host, port, database, user].join('\0')
  }

  /** The place of a statement that comes now, with what else decides its meaning. */
  place(more: string): Place {
    const name = (): string => `${this.#login}\0${this.#path}\0${more}`
    return { known: this.#strange ?? ofIsolate, name }
  }

  /** Before the server has told the path it is taken for the one of the last login. */
  get #path(): string {
    return this.#searchPath?.current ?? logins.get(this.#login) ?? ''
  }

  /** Whether statements may mean something here that they mean nowhere else. */
  get isStrange(): boolean {
    return this.#strange !== undefined
  }

  /** Takes what the server tells of it. */
  follow(searchPath: SearchPath): void {
    this.#searchPath = searchPath
    searchPath.whenKnown((path) => logins.set(this.#login, path))
  }

  /** From now on statements may mean something else than on any other connection, and than before. */
  change(flight: object, change: Change): void {
    if (change === 'savepoint' && !this.#strange) return
    this.#strange = new Descriptions(MAX_STRANGE, MAX_STRANGE_BYTES)
    this.#lasts ||= change === 'session'
    this.#changing.add(flight)
  }

  /** A flight has ended, and what it has changed with it where its transaction is over. */
  ended(flight: object, status: TransactionStatus): void {
    this.#changing.delete(flight)
    const isOver = status === 'I' && this.#changing.size === 0
    if (isOver && !this.#lasts) this.#strange = undefined
  }
}
