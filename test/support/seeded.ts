/** Numbers that follow from a seed (mulberry32): the same ones every time, whatever runs beside it. */
export class Seeded {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** At least 0, and less than 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  /** True in so many cases of one. */
  chance(share: number): boolean {
    return this.next() < share
  }

  pick<T>(all: readonly [T, ...T[]]): T {
    return all[this.below(all.length)] ?? all[0]
  }

  /** Another one, for what runs at the same time and must not take numbers from this. */
  fork(): Seeded {
    return new Seeded(this.next() * 2 ** 32)
  }

  /** Lets others come first: some microtasks, some turns of the event loop. */
  async breathe(): Promise<void> {
    for (let n = this.below(4); n > 0; n -= 1) {
      await (this.chance(0.3) ? new Promise((next) => setImmediate(next)) : undefined)
    }
  }
}
