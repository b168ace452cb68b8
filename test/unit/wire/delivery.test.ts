import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Delivery } from '../../../src/wire/delivery.ts'

/** What comes out when these messages are put in. */
function pass(messages: readonly Uint8Array[]): Uint8Array[] {
  const delivery = new Delivery()
  const pieces = messages.map((message) => delivery.add(message))
  return [...pieces, delivery.take()].filter((piece) => piece !== undefined)
}

const BYTES = Uint8Array.from({ length: 64 }, (_, at) => at)

describe('Delivery', () => {
  it('Delivery has nothing to hand on at first, and nothing twice', () => {
    const delivery = new Delivery()
    expect(delivery.take()).toBeUndefined()
    delivery.add(BYTES.subarray(0, 5))
    expect(delivery.take()).toEqual(BYTES.subarray(0, 5))
    expect(delivery.take()).toBeUndefined()
  })

  it('Delivery joins what lies side by side, without a copy', () => {
    const pieces = pass([BYTES.subarray(3, 8), BYTES.subarray(8, 9), BYTES.subarray(9, 20)])
    expect(pieces).toEqual([BYTES.subarray(3, 20)])
    expect(pieces[0]?.buffer).toBe(BYTES.buffer)
  })

  it('Delivery keeps apart what has something between', () => {
    expect(pass([BYTES.subarray(0, 5), BYTES.subarray(6, 8)])).toEqual([
      BYTES.subarray(0, 5),
      BYTES.subarray(6, 8),
    ])
  })

  it('Delivery keeps apart what lies in two buffers at places that touch', () => {
    const [left, right] = [BYTES.slice(0, 5), BYTES.slice()]
    expect(pass([left, right.subarray(5, 8)])).toEqual([left, right.subarray(5, 8)])
  })

  it('Delivery does not join what was taken to what comes next', () => {
    const delivery = new Delivery()
    delivery.add(BYTES.subarray(0, 5))
    delivery.take()
    expect(delivery.add(BYTES.subarray(5, 8))).toBeUndefined()
    expect(delivery.take()).toEqual(BYTES.subarray(5, 8))
  })

  it('Delivery loses no byte and changes no order, whatever is put in', () => {
    const buffers = [BYTES, BYTES.slice().reverse()]
    const message = fc.tuple(fc.nat(1), fc.nat(63), fc.integer({ min: 1, max: 8 }))
    fc.assert(
      fc.property(fc.array(message), (parts) => {
        const messages = parts.map(([buffer, from, length]) =>
          (buffers[buffer] ?? BYTES).subarray(from, from + length),
        )
        expect(Buffer.concat(pass(messages))).toEqual(Buffer.concat(messages))
      }),
      { seed: 12, numRuns: 500 },
    )
  })
})
