import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { claimSettings, identityOf } from '../../src/claims.ts'

const RULES = { roles: ['anon'], anonymousRole: 'anon' }

const keyOf = (claims: object, settings: Record<string, string> = {}): string =>
  identityOf(claimSettings(claims as never, RULES), settings).key

/** The same with its keys the other way round, lists left alone. */
function reversed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(reversed)
  const entries = Object.entries(value).map(([key, inner]) => [key, reversed(inner)])
  return Object.fromEntries(entries.reverse())
}

describe('the key of an identity', () => {
  it.each<[object, object]>([
    [{ sub: '1' }, { sub: '2' }],
    [{ sub: '1' }, { sub: 1 }],
    [{ sub: '1' }, { sub: '1', aal: null }],
    [{ roles: ['a', 'b'] }, { roles: ['b', 'a'] }],
    [{ meta: { a: 1 } }, { meta: [['a', 1]] }],
    [{ meta: { a: 1 } }, { meta: '{"a":1}' }],
  ])('tells %j from %j', (one, other) => {
    expect(keyOf(one)).not.toBe(keyOf(other))
  })

  it('is the same in any order of claims and settings', () => {
    const claims = fc.dictionary(fc.string(), fc.jsonValue())
    fc.assert(
      fc.property(claims, (given) => {
        const { role: _, ...all } = JSON.parse(JSON.stringify(given)) as Record<string, unknown>
        fc.pre(!/\\u(?:0000|d[89a-f])/i.test(JSON.stringify(all)))
        expect(keyOf(reversed(all) as object)).toBe(keyOf(all))
      }),
    )
    const one = keyOf({}, { 'app.tenant': '1', 'app.locale': 'de' })
    expect(keyOf({}, { 'app.locale': 'de', 'app.tenant': '1' })).toBe(one)
    expect(keyOf({}, { 'app.locale': '1', 'app.tenant': 'de' })).not.toBe(one)
  })

  it('is made of claims however deep', () => {
    let deep: object = {}
    for (let depth = 0; depth < 1_500; depth += 1) deep = { deep }
    expect(keyOf(deep)).toContain('deep')
  })
})
