import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { md5 } from '../../../src/wire/md5.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('md5', () => {
  // RFC 1321 §A.5.
  it.each([
    ['', 'd41d8cd98f00b204e9800998ecf8427e'],
    ['a', '0cc175b9c0f1b6a831c399e269772661'],
    ['abc', '900150983cd24fb0d6963f7d28e17f72'],
    ['message digest', 'f96b697d7cb7938d525a2f31aaf161d0'],
    ['abcdefghijklmnopqrstuvwxyz', 'c3fcd3d76192e4007dfb496cca67e13b'],
    [`${'1234567890'.repeat(8)}`, '57edf4a22be3c955ac49da2e2107b67a'],
  ])('md5 of %j is as in RFC 1321', (text, digest) => {
    expect(hex(md5(Buffer.from(text)))).toBe(digest)
  })

  it('md5 is what OpenSSL says, at every length around its blocks', () => {
    for (let length = 0; length <= 200; length += 1) {
      const bytes = Buffer.alloc(length, 0xa7)
      expect(hex(md5(bytes))).toBe(createHash('md5').update(bytes).digest('hex'))
    }
  })

  it('md5 is what OpenSSL says, for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(hex(md5(bytes))).toBe(createHash('md5').update(bytes).digest('hex'))
      }),
      { seed: 1, numRuns: 300 },
    )
  })
})
