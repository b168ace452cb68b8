import { History, type HistoryPoint } from './history.ts'
import type { Observer } from './observer.ts'
import type { ConnectionsSnapshot } from './snapshot.ts'
import { findWarnings } from './warnings.ts'

/** One look, with its point of the history. */
export interface Look {
  snapshot: ConnectionsSnapshot
  point: HistoryPoint
}

/** How often to look, and what to warn of. */
export interface SamplerOptions {
  intervalMs: number
  /** Seconds that a transaction may be idle. */
  idleLimitSeconds: number
}

/** Looks again and again, never twice at once, and tells every listener what it saw. */
export class Sampler {
  readonly intervalMs: number
  readonly history: History = new History()
  readonly #observer: Observer
  readonly #idleLimitSeconds: number
  readonly #listeners = new Set<(look: Look) => void>()
  #latest: Look | undefined
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #stopped = false

  constructor(observer: Observer, { intervalMs, idleLimitSeconds }: SamplerOptions) {
    this.#observer = observer
    this.intervalMs = intervalMs
    this.#idleLimitSeconds = idleLimitSeconds
  }

  /** The last look; there is one as soon as {@link Sampler.look} has resolved once. */
  get latest(): Look | undefined {
    return this.#latest
  }

  /** Looks once. */
  async look(): Promise<Look> {
    const seen = await this.#observer.look()
    const point = this.history.add(seen)
    const warnings = findWarnings(seen, this.history.points, this.#idleLimitSeconds)
    const snapshot = { ...seen, warnings: [...warnings, ...seen.warnings] }
    const look = { snapshot, point }
    this.#latest = look
    for (const listener of this.#listeners) listener(look)
    return look
  }

  /** Adds a listener, and returns what removes it. */
  listen(listener: (look: Look) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Goes on looking until {@link Sampler.stop}; the first time after one interval. */
  start(): void {
    this.#next(this.intervalMs)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#looking
    await this.#observer.close()
  }

  #next(pauseMs: number): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#looking = this.#lookAndGoOn()
    }, pauseMs)
  }

  async #lookAndGoOn(): Promise<void> {
    const begin = performance.now()
    await this.look()
    this.#next(Math.max(this.intervalMs - (performance.now() - begin), 10))
  }
}
