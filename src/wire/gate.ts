/** Lets a loop through, or holds it until opened. */
export class Gate {
  #opened: Promise<void> | undefined
  #open: (() => void) | undefined

  get closed(): boolean {
    return this.#opened !== undefined
  }

  /** Resolves at once while the gate is open. */
  async passed(): Promise<void> {
    await this.#opened
  }

  close(): void {
    this.#opened ??= new Promise((resolve) => {
      this.#open = resolve
    })
  }

  open(): void {
    this.#opened = undefined
    this.#open?.()
  }
}
