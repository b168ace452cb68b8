import { tooManyConnections } from './failures.ts'

/** How many connections are open in this process or isolate. */
export class ConnectionLimit {
  #open = 0
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  /**
   * Takes a place.
   *
   * @returns what gives it back, once.
   * @throws {NullpoolError} `ERR_GATEWAY_LIMIT`.
   */
  enter(): () => void {
    if (this.#open >= this.#most) throw tooManyConnections(this.#most)
    this.#open += 1
    let inside = true
    return () => {
      if (inside) this.#open -= 1
      inside = false
    }
  }
}
