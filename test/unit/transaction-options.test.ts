import { describe, expect, it } from 'vitest'
import { claimSettings, identityOf } from '../../src/claims.ts'
import { readTransactionOptions } from '../../src/transaction-options.ts'

const settings = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`app.n${n}`, String(n)]))

describe('readTransactionOptions', () => {
  it('takes 64 settings and no more, as claims do', () => {
    const claims = claimSettings(null, { roles: ['anon'], anonymousRole: 'anon' })
    const reads = [
      (given: Record<string, string>) => readTransactionOptions({ settings: given }).settings,
      (given: Record<string, string>) => identityOf(claims, given).settings.slice(claims.length),
    ]
    for (const read of reads) {
      expect(read(settings(64))).toEqual(Object.entries(settings(64)))
      expect(() => read(settings(65))).toThrow(expect.objectContaining({ code: 'ERR_OPTIONS' }))
    }
  })

  it.each([null, 'x', ['x'], new Map([['app.tenant', '1']])])(
    'refuses %o for settings',
    (given) => {
      expect(() => readTransactionOptions({ settings: given as never })).toThrow(
        expect.objectContaining({ code: 'ERR_OPTIONS' }),
      )
    },
  )
})
