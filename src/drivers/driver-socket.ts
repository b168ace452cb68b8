import { Buffer } from 'node:buffer'
import { EventEmitter } from 'node:events'
import type { NullpoolError } from '../errors.ts'
import type { FrontListener } from '../wire/front-options.ts'
import type { DriverConnection } from './driver.ts'

/**
 * A front in the shape of a `net.Socket`, as far as postgres.js uses one.
 *
 * It is never closed under the driver: postgres.js would reconnect, and would write to a closed socket
 * from a transaction's handle. What fails is told by `error` alone, which rejects what is under way.
 */
export class DriverSocket extends EventEmitter {
  readyState: 'open' | 'closed' = 'open'
  #front: DriverConnection

  constructor(connect: (listener: FrontListener) => DriverConnection, released: () => void) {
    super()
    this.#front = connect({
      data: (bytes) => {
        this.emit('data', Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      },
      error: (error) => {
        if (this.listenerCount('error') > 0) this.emit('error', withoutParameters(error))
      },
      released,
      closed: () => {
        this.readyState = 'closed'
        this.emit('close', false)
      },
    })
  }

  /** Whether an error is about to be emitted. */
  get failing(): boolean {
    return this.#front.failing
  }

  /** Whether every statement from now on fails. */
  get failed(): boolean {
    return this.#front.failure !== undefined
  }

  /** What it fails with. */
  failure(): NullpoolError | undefined {
    const error = this.#front.failure?.()
    return error && withoutParameters(error)
  }

  write(bytes: Uint8Array, callback?: () => void): boolean {
    this.#front.write(bytes, callback)
    return true
  }

  end(bytes?: Uint8Array): void {
    if (bytes) this.#front.write(bytes)
    this.#front.end()
  }

  destroy(): void {
    this.#front.end()
  }

  pause(): void {
    this.#front.pause()
  }

  resume(): void {
    this.#front.resume()
  }
}

/**
 * postgres.js adds the query and its parameters to an error that has neither; a parameter's value must
 * not be found on an error of ours.
 */
function withoutParameters(error: NullpoolError): NullpoolError {
  return Object.defineProperty(error, 'parameters', { value: undefined, enumerable: false })
}
