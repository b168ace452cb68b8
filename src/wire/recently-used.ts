/**
 * Keeps what was used last, up to a number of entries and a sum of bytes. Lives as long as its isolate:
 * only plain values belong here, never what is tied to a request.
 */
export class RecentlyUsed<T> {
  #entries = new Map<string, { value: T; bytes: number }>()
  #bytes = 0
  #newest: string | undefined
  readonly #maxEntries: number
  readonly #maxBytes: number

  constructor(maxEntries: number, maxBytes: number = Number.POSITIVE_INFINITY) {
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    if (key === this.#newest) return entry.value
    // A Map keeps the order of insertion: the oldest is the one that was not asked for the longest.
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    this.#newest = key
    return entry.value
  }

  /** Adds or replaces. What is larger than everything together may be is not kept. */
  set(key: string, value: T, bytes = 0): void {
    this.delete(key)
    if (bytes > this.#maxBytes) return
    this.#entries.set(key, { value, bytes })
    this.#newest = key
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) break
      this.delete(oldest)
    }
  }

  delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0
    this.#entries.delete(key)
  }
}
