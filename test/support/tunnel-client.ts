import { createHash } from 'node:crypto'
import { WebSocket } from 'ws'
import { Conditions } from './conditions.ts'
import type { RunningGateway } from './gateway-bed.ts'
import { TOKEN } from './gateway-bed.ts'

/** A client's end of a tunnel. */
export class TunnelClient {
  readonly socket: WebSocket
  received = 0
  readonly hash: ReturnType<typeof createHash> = createHash('sha256')
  /** The first bytes that came. */
  head: Buffer = Buffer.alloc(0)
  closed: { status: number; reason: string } | undefined
  readonly #conditions: Conditions<this> = new Conditions(this)

  constructor(gateway: RunningGateway, path: string, token: string | undefined = TOKEN) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    this.socket = new WebSocket(`ws://${gateway.host}${path}`, { headers })
    this.socket.on('message', (data: Buffer) => {
      this.received += data.length
      this.hash.update(data)
      if (this.head.length < 4096) this.head = Buffer.concat([this.head, data.subarray(0, 4096)])
      this.#conditions.changed()
    })
    this.socket.on('close', (status, reason) => {
      this.closed = { status, reason: reason.toString() }
      this.#conditions.changed()
    })
    this.socket.on('open', () => this.#conditions.changed())
    this.socket.on('error', () => undefined)
  }

  /** Resolves when it is open. */
  async open(): Promise<this> {
    await this.#conditions.until(() => this.socket.readyState !== WebSocket.CONNECTING)
    return this
  }

  /** Resolves when the bytes have been given to the kernel. */
  send(data: Uint8Array | string): Promise<void> {
    return new Promise((resolve) => this.socket.send(data, () => resolve()))
  }

  until(predicate: (client: this) => boolean): Promise<void> {
    return this.#conditions.until(predicate)
  }

  async untilClosed(): Promise<{ status: number; reason: string }> {
    await this.until(({ closed }) => closed !== undefined)
    return this.closed ?? { status: 0, reason: '' }
  }
}

/** So many bytes that repeat nowhere nearby, and their hash. */
export function pattern(length: number): { bytes: Buffer; hash: string } {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += 4) bytes.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at)
  return { bytes, hash: sha256(bytes) }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
