import type { Socket } from 'node:net'
import type { Direction } from './proxy-faults.ts'

/** Bytes on their way, as the proxy read them. */
export interface Bytes {
  kind: 'bytes'
  bytes: Buffer
  /** The client's turn when they were read. */
  turn: number
  /** When a line of the configured length lets them out. */
  due: number
  /** The faults have had their say. */
  decided?: boolean
}

/** What can come out of a socket. */
export type Step = Bytes | { kind: 'fin' | 'rst'; due: number }

/** Beyond this the sender is paused, as a full socket buffer would pause it. */
const MAX_WAITING_BYTES = 1024 * 1024

/** What waits to be forwarded in one direction, in the order in which it came. */
export class Lane {
  readonly direction: Direction
  readonly from: Socket
  readonly to: Socket
  readonly #steps: Step[] = []
  #waitingBytes = 0
  stalled = false
  running = false
  ended = false
  /** Chunks held back by `merge`, and how many are still to come. */
  held: Buffer[] = []
  missing = 0
  /** Bytes that faults have seen. */
  offered = 0

  constructor(direction: Direction, from: Socket, to: Socket) {
    this.direction = direction
    this.from = from
    this.to = to
  }

  get next(): Step | undefined {
    return this.#steps[0]
  }

  push(step: Step): void {
    this.#steps.push(step)
    if (step.kind === 'bytes') this.#waits(step.bytes.length)
  }

  /** Not lost: after a resume it is the first to be delivered, past all faults. */
  hold(step: Bytes): void {
    this.stalled = true
    this.#steps.unshift({ ...step, decided: true })
    this.#waits(step.bytes.length)
  }

  shift(): void {
    const step = this.#steps.shift()
    if (step?.kind === 'bytes') this.#waits(-step.bytes.length)
  }

  /** Resolves when the kernel has taken the bytes. */
  write(bytes: Uint8Array): Promise<void> {
    const { to } = this
    if (bytes.length === 0 || !to.writable) return Promise.resolve()
    // An error is reported by the socket's own event; here only the end of the write matters.
    return new Promise((resolve) => to.write(bytes, () => resolve()))
  }

  #waits(bytes: number): void {
    this.#waitingBytes += bytes
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.from.pause()
    else if (this.from.isPaused()) this.from.resume()
  }
}
