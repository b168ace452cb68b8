import { type BackendKey, concat, readStartup, readUint32 } from './messages.ts'

/** The packet without a type with which a driver begins, as it comes. */
export class StartupPacket {
  #bytes: Uint8Array = new Uint8Array()

  /** @returns what it says, and what lies behind it; `undefined` until it is whole. */
  add(bytes: Uint8Array): { says: BackendKey | 'startup'; rest: Uint8Array } | undefined {
    const packet = concat([this.#bytes, bytes])
    const length = packet.length < 4 ? Number.POSITIVE_INFINITY : readUint32(packet, 0)
    this.#bytes = packet
    if (packet.length < length) return undefined
    this.#bytes = new Uint8Array()
    return { says: readStartup(packet), rest: packet.subarray(length) }
  }
}
