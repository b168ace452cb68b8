/** Shifts of the four rounds (RFC 1321 §3.4). */
const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]

/** The integer parts of 2³² · |sin(n)|. */
const SINES = Uint32Array.from({ length: 64 }, (_, n) => Math.abs(Math.sin(n + 1)) * 2 ** 32)

/**
 * MD5, which WebCrypto does not have, for the one thing that still needs it: the answer to a server that
 * asks for an MD5 password. 16 bytes.
 *
 * @see https://www.rfc-editor.org/rfc/rfc1321
 */
export function md5(message: Uint8Array): Uint8Array {
  const blocks = new DataView(new ArrayBuffer(((message.length + 72) >> 6) << 6))
  new Uint8Array(blocks.buffer).set(message)
  blocks.setUint8(message.length, 0x80)
  blocks.setUint32(blocks.byteLength - 8, message.length << 3, true)
  blocks.setUint32(blocks.byteLength - 4, message.length >>> 29, true)
  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476)
  for (let at = 0; at < blocks.byteLength; at += 64) mix(state, blocks, at)
  const digest = new DataView(new ArrayBuffer(16))
  for (const [at, word] of state.entries()) digest.setUint32(at * 4, word, true)
  return new Uint8Array(digest.buffer)
}

/** One block of 64 bytes (RFC 1321 §3.4). */
function mix(state: Uint32Array, blocks: DataView, at: number): void {
  let [a = 0, b = 0, c = 0, d = 0] = state
  for (let n = 0; n < 64; n += 1) {
    const round = n >> 4
    const [chosen = 0, word = 0] = [
      [(b & c) | (~b & d), n],
      [(d & b) | (~d & c), 5 * n + 1],
      [b ^ c ^ d, 3 * n + 5],
      [c ^ (b | ~d), 7 * n],
    ][round] as [number, number]
    const sum = (a + chosen + (SINES[n] ?? 0) + blocks.getUint32(at + (word & 15) * 4, true)) | 0
    const shift = SHIFTS[round * 4 + (n & 3)] ?? 0
    ;[a, d, c, b] = [d, c, b, (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0]
  }
  state.set([a, b, c, d].map((value, n) => value + (state[n] ?? 0)))
}
