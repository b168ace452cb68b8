/** One wait that cannot last for ever. Starting it again replaces the wait before. */
export class Deadline {
  #timer: ReturnType<typeof setTimeout> | undefined

  start(afterMs: number, expire: () => void): void {
    this.stop()
    this.#timer = setTimeout(expire, afterMs)
  }

  stop(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#timer = undefined
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
