/** Counts what a request's connection costs. Durations are in milliseconds. */
export class Meter {
  connects = 0
  roundTrips = 0
  queries = 0
  bytesSent = 0
  bytesReceived = 0
  connectMs = 0
  firstRowMs = 0
  queryMs = 0
  /** Whether the server spoke last: the next byte we send then starts another round trip. */
  #heard = true

  /** The TCP or TLS handshake: a round trip that the runtime makes for us. */
  handshake(): void {
    this.roundTrips += 1
    this.#heard = true
  }

  sent(bytes: number): void {
    this.bytesSent += bytes
    if (!this.#heard) return
    this.#heard = false
    this.roundTrips += 1
  }

  received(bytes: number): void {
    this.bytesReceived += bytes
    this.#heard = true
  }
}
