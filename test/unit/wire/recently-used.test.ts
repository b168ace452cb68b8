import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RecentlyUsed } from '../../../src/wire/recently-used.ts'

describe('RecentlyUsed', () => {
  it('RecentlyUsed forgets what was not asked for the longest', () => {
    const kept = new RecentlyUsed<number>(2)
    kept.set('a', 1)
    kept.set('b', 2)
    expect(kept.get('a')).toBe(1)
    kept.set('c', 3)
    expect(kept.get('b')).toBeUndefined()
    expect([kept.get('a'), kept.get('c')]).toEqual([1, 3])
  })

  it('RecentlyUsed keeps to its bytes, and nothing that is larger than all of them', () => {
    const kept = new RecentlyUsed<number>(10, 100)
    kept.set('a', 1, 60)
    kept.set('b', 2, 60)
    expect([kept.get('a'), kept.get('b')]).toEqual([undefined, 2])
    kept.set('b', 3, 101)
    expect(kept.get('b')).toBeUndefined()
    kept.set('c', 4, 100)
    expect(kept.get('c')).toBe(4)
  })

  it('RecentlyUsed is the same as a list in the order of use', () => {
    const keys = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const steps = fc.array(fc.tuple(fc.constantFrom('get', 'set', 'delete'), keys, fc.nat(4)))
    fc.assert(
      fc.property(steps, (all) => {
        const kept = new RecentlyUsed<number>(3, 8)
        let model: { key: string; value: number }[] = []
        for (const [what, key, value] of all) {
          const known = model.find((entry) => entry.key === key)
          if (what === 'get') expect(kept.get(key)).toBe(known?.value)
          if (what === 'set') kept.set(key, value, value)
          if (what === 'delete') kept.delete(key)
          if (what === 'get' && !known) continue
          model = model.filter((entry) => entry !== known)
          if (what === 'get' && known) model.push(known)
          if (what === 'set') model.push({ key, value })
          const bytes = (): number => model.reduce((sum, entry) => sum + entry.value, 0)
          while (model.length > 3 || bytes() > 8) model.shift()
        }
        for (const { key, value } of model) expect(kept.get(key)).toBe(value)
      }),
      { seed: 3, numRuns: 500 },
    )
  })
})
