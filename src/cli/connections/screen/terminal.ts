import type { ReadStream, WriteStream } from 'node:tty'

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l'
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l'
/** Terminals that know it show a frame only when it is whole; the others ignore it. */
const BEGIN_FRAME = '\x1b[?2026h'
const END_FRAME = '\x1b[?2026l'

/**
 * The whole screen of a terminal, until it is given back.
 *
 * It is given back however the process ends, SIGKILL apart: the last thing that a process does is asked for too.
 *
 * @see https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
 */
export class Terminal {
  readonly #input: ReadStream
  readonly #output: WriteStream
  readonly #onExit = (): void => this.leave()
  #isOurs = false

  constructor(input: ReadStream, output: WriteStream) {
    this.#input = input
    this.#output = output
  }

  get size(): { columns: number; rows: number } {
    // Some terminals say 0 where they do not know.
    return { columns: this.#output.columns || 80, rows: this.#output.rows || 24 }
  }

  /** Takes the screen, and the keys one by one. */
  enter(): void {
    this.#isOurs = true
    process.on('exit', this.#onExit)
    this.#input.setRawMode(true)
    this.#input.resume()
    this.#output.write(ENTER)
  }

  /** Shows one frame in the place of the one before. */
  show(lines: readonly string[]): void {
    if (!this.#isOurs) return
    const text = lines.map((line) => `${line}\x1b[K`).join('\r\n')
    this.#output.write(`${BEGIN_FRAME}\x1b[H${text}\x1b[J${END_FRAME}`)
  }

  /** Gives the terminal back as it was. Can be called again. */
  leave(): void {
    if (!this.#isOurs) return
    this.#isOurs = false
    process.off('exit', this.#onExit)
    try {
      this.#output.write(LEAVE)
      this.#input.setRawMode(false)
      this.#input.pause()
    } catch {
      // The terminal itself has gone.
    }
  }
}
