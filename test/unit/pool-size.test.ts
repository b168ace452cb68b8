import { describe, expect, it } from 'vitest'
import { type PoolSizeOptions, recommendPoolSize } from '../../src/pool-size.ts'

/** Options, the pooler's size, and what stays open and what comes on top in each instance. */
const TABLE: readonly [PoolSizeOptions, number, number, number, boolean][] = [
  [{ maxConnections: 60 }, 24, 12, 12, true],
  [{ maxConnections: 60, dataApi: true }, 24, 12, 12, true],
  [{ maxConnections: 60, dataApi: false }, 48, 24, 24, true],
  [{ maxConnections: 60, dataApi: true, instances: 2 }, 24, 6, 6, true],
  [{ maxConnections: 60, dataApi: false, instances: 5 }, 48, 4, 5, true],
  [{ maxConnections: 100, dataApi: false }, 80, 40, 40, true],
  [{ maxConnections: 90, dataApi: false, otherConnections: 30 }, 57, 28, 29, true],
  [{ maxConnections: 90, dataApi: false, otherConnections: 10 }, 72, 36, 36, true],
  [{ maxConnections: 10, dataApi: false, reservedConnections: 8 }, 2, 1, 1, true],
  [{ maxConnections: 10, dataApi: false, reservedConnections: 0 }, 8, 4, 4, true],
  [{ maxConnections: 500, dataApi: true, instances: 200 }, 200, 1, 0, true],
  [{ maxConnections: 500, dataApi: true, instances: 201 }, 200, 1, 0, false],
  [{ maxConnections: 5, dataApi: true, otherConnections: 5 }, 1, 1, 0, false],
  [{ maxConnections: 1 }, 1, 1, 0, false],
]

describe('recommendPoolSize', () => {
  it.each(TABLE)('%o: %i', (options, pooler, poolSize, maxOverflow, fits) => {
    const advice = recommendPoolSize(options)
    expect(advice).toMatchObject({ poolSize: pooler, stationary: { poolSize, maxOverflow }, fits })
    expect(advice.reasons).toHaveLength(fits ? 3 : 4)
    expect(advice.reasons[0]).toContain(options.dataApi === false ? '80 %' : '40 %')
  })

  it('never takes more than its share, whatever the numbers', () => {
    for (let maxConnections = 1; maxConnections <= 300; maxConnections += 7) {
      for (const dataApi of [true, false]) {
        for (const instances of [1, 2, 3, 7, 50]) {
          const advice = recommendPoolSize({ maxConnections, dataApi, instances })
          const { poolSize, maxOverflow } = advice.stationary
          const share = maxConnections * (dataApi ? 0.4 : 0.8)
          expect(poolSize).toBeGreaterThanOrEqual(1)
          if (!advice.fits) continue
          expect(advice.poolSize).toBeLessThanOrEqual(share)
          expect(instances * (poolSize + maxOverflow)).toBeLessThanOrEqual(share)
        }
      }
    }
  })

  it.each([
    [{}, 'maxConnections'],
    [{ maxConnections: 0 }, 'maxConnections'],
    [{ maxConnections: 1.5 }, 'maxConnections'],
    [{ maxConnections: 60, instances: 0 }, 'instances'],
    [{ maxConnections: 60, reservedConnections: -1 }, 'reservedConnections'],
    [{ maxConnections: 60, dataApi: 'yes' }, 'dataApi'],
    [{ maxConnections: 60, dataapi: true }, 'dataapi'],
  ])('refuses %o', (options, named) => {
    expect(() => recommendPoolSize(options as never)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTIONS', message: expect.stringContaining(named) }),
    )
  })
})
