import { Backend, readCString } from './messages.ts'

/** The search path of a session, as far as the server tells it (Postgres 18 does, others do not). */
export class SearchPath {
  /** Where it is not the one of the login: what a statement means depends on it. */
  changed = ''
  #login: string | undefined

  /** Takes any message. The first ParameterStatus that tells a search path is the login's. */
  note(message: Uint8Array): void {
    if (message[0] !== Backend.parameterStatus) return
    const name = readCString(message, 5)
    if (name !== 'search_path') return
    const path = readCString(message, 5 + name.length + 1)
    this.#login ??= path
    this.changed = path === this.#login ? '' : path
  }
}
