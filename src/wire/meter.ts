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

  /**
   * Handshakes: round trips that the runtime makes for us. TCP and TLS 1.3 are one each, and so is the
   * upgrade to a WebSocket.
   */
  handshake(trips = 1): void {
    this.roundTrips += trips
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
