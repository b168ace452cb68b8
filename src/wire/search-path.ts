import { Backend, readCString } from './messages.ts'

/** The search path of a session, as far as the server tells it (Postgres 18 does, others do not). */
export class SearchPath {
  /** As it is now. */
  current: string | undefined
  #login: string | undefined
  #told: ((path: string) => void) | undefined

  /** Calls back with the path of the login, as soon as it is known. */
  whenKnown(told: (path: string) => void): void {
    if (this.#login === undefined) this.#told = told
    else told(this.#login)
  }

  /** Takes any message. The first ParameterStatus that tells a search path is the login's. */
  note(message: Uint8Array): void {
    if (message[0] !== Backend.parameterStatus) return
    const name = readCString(message, 5)
    if (name !== 'search_path') return
    this.current = readCString(message, 5 + name.length + 1)
    if (this.#login !== undefined) return
    this.#login = this.current
    this.#told?.(this.#login)
  }
}
