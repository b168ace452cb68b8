import type { Place } from './description.ts'
import type { Credentials } from './handshake.ts'
import type { SearchPath } from './search-path.ts'
import type { Address } from './transport.ts'

/** Places that are like no other. */
let strangers = 0

/** Where the statements of a connection run, as far as it decides what they mean. */
export class Whereabouts {
  #place: Place
  #searchPath: SearchPath | undefined
  #strange = ''

  constructor({ host, port }: Address, { database, user }: Credentials) {
    this.#place = `${host}/${port}/${database}/${user}/`
  }

  get place(): Place {
    return this.#place + (this.#searchPath?.changed ?? '') + this.#strange
  }

  /** Whether statements may mean something here that they mean nowhere else. */
  get isStrange(): boolean {
    return this.#strange !== ''
  }

  /** Takes what the server tells of it. */
  follow(searchPath: SearchPath): void {
    this.#searchPath = searchPath
  }

  /** From now on statements may mean something else than on any other connection. */
  estrange(): void {
    strangers += 1
    this.#strange = `#${strangers}`
  }
}
