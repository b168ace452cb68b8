import { checkGuess, type Login, unproved } from './handshake.ts'
import {
  Backend,
  type BackendKey,
  readBackendKey,
  readCString,
  readErrorFields,
  readUint32,
} from './messages.ts'
import { serverFailure } from './server-failure.ts'

/** What a server says from the end of our part of the login to its first ReadyForQuery. */
export class Greeting {
  /** What a CancelRequest needs; poolers hand out keys of their own. */
  key: BackendKey | undefined
  #verify: Login['verify']
  #guessed: boolean

  constructor({ verify, unasked }: Login) {
    this.#verify = verify
    this.#guessed = unasked !== undefined
  }

  /**
   * Takes a message. Nothing that comes before the server has proved itself counts.
   *
   * @returns whether it is for the driver: a parameter of the session.
   * @throws `ERR_AUTH_SERVER` for a server that leaves out its proof, `ERR_AUTH_METHOD` for one that asks
   *   for something else than it was given, or what an ErrorResponse says.
   */
  take(message: Uint8Array): boolean {
    const type = message[0]
    if (type === Backend.errorResponse) throw serverFailure(readErrorFields(message), false)
    if (this.#verify) {
      if (type === Backend.authentication) this.#prove(message, this.#verify)
      if (type === Backend.readyForQuery) throw unproved()
      return false
    }
    if (this.#guessed && type === Backend.authentication) checkGuess(readUint32(message, 5))
    if (type === Backend.backendKeyData) this.key = readBackendKey(message)
    return type === Backend.parameterStatus
  }

  #prove(message: Uint8Array, verify: (serverFinal: string) => void): void {
    if (readUint32(message, 5) !== 12) throw unproved()
    verify(readCString(message, 9))
    this.#verify = undefined
  }
}
