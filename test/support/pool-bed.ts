import { setImmediate as nextLoopTurn } from 'node:timers/promises'
import { createPool, type Pool, type PoolOptions } from 'nullpool/stationary'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject } from 'vitest'
import { type CountingProxy, startCountingProxy } from './counting-proxy.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

/** What every test of a pool needs. Its hooks are set where it is made. */
export interface PoolBed {
  readonly database: TestDatabase
  readonly proxy: CountingProxy
  /** A pool over the proxy on Postgres itself, closed behind the test. */
  open(options?: PoolOptions): Pool
  /** Connections that are open at the proxy. */
  connections(): number
}

/** Makes a bed and sets the hooks of the suite around it; `schema` is run once. */
export function usePoolBed(schema = ''): PoolBed {
  const { postgres } = inject('servers')
  let database: TestDatabase
  let proxy: CountingProxy
  const pools: Pool[] = []
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => {
    unhandled.push(reason)
  }
  beforeAll(async () => {
    process.on('unhandledRejection', note)
    database = await createTestDatabase()
    await database.sql.unsafe(schema)
  })
  beforeEach(async () => {
    proxy = await startCountingProxy({ target: postgres })
  })
  afterEach(async () => {
    await Promise.all(pools.splice(0).map((pool) => pool.close()))
    proxy.resume()
    await proxy.until(({ connections }) => connections.every(({ open }) => !open))
    await proxy.stop()
    await nextLoopTurn()
    expect(unhandled.splice(0)).toEqual([])
  })
  afterAll(async () => {
    process.off('unhandledRejection', note)
    await database[Symbol.asyncDispose]()
  })
  return {
    get database() {
      return database
    },
    get proxy() {
      return proxy
    },
    open(options = {}) {
      const pool = createPool({ url: database.url(proxy), pooler: 'postgres', ...options })
      pools.push(pool)
      return pool
    },
    connections: () => proxy.connections.filter(({ open }) => open).length,
  }
}
