/** Later than that, the process has stood still; then it has as long to read what came meanwhile. */
const LATE_MS = 50

/**
 * One wait that cannot last for ever. Starting it again replaces the wait before, which costs no timer
 * as long as the new one ends later.
 */
export class Deadline {
  #timer: ReturnType<typeof setTimeout> | undefined
  /** When the timer is due. */
  #due = 0
  /** When the wait is over. */
  #end = 0
  #expire: () => void = () => undefined

  start(afterMs: number, expire: () => void): void {
    this.#expire = expire
    this.#end = Date.now() + afterMs
    if (this.#timer !== undefined && this.#due <= this.#end) return
    this.stop()
    this.#arm(afterMs)
  }

  stop(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm(afterMs: number, isLate = false): void {
    this.#due = Date.now() + afterMs
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const left = this.#end - Date.now()
      if (left > 0) this.#arm(left)
      else if (left < -LATE_MS && !isLate) this.#arm(LATE_MS, true)
      else this.#expire()
    }, afterMs)
  }
}

/** Waits for `work`, for `ms` at the most. True when it ended in time, however it ended. */
export async function settledWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const deadline = new Deadline()
  const expired = new Promise<false>((resolve) => deadline.start(ms, () => resolve(false)))
  const settled = work.then(
    () => true,
    () => true,
  )
  try {
    return await Promise.race([settled, expired])
  } finally {
    deadline.stop()
  }
}
