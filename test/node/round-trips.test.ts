import { randomUUID } from 'node:crypto'
import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres, ca } = inject('servers')

/** The trips of a cold connection up to its first statement, that not counted, TCP neither. */
const LOGIN = { universal: 3, pipelined: 1 } as const
type Shape = (scope: Scope) => Promise<unknown>

/** A parameterised query that this process has asked before. */
const learned: Shape = ({ sql }) => sql`select ${1}::int as learned`

/** What a request does, and the trips that it takes behind the login. */
const SHAPES: readonly [string, Shape, number][] = [
  ['a plain query', ({ sql }) => sql`select 1`, 1],
  [
    'three plain queries one after another',
    async ({ sql }) => [await sql`select 1`, await sql`select 2`, await sql`select 3`],
    3,
  ],
  ['a parameterised query at first sight', ({ sql }) => sql.unsafe(fresh(), [1]), 2],
  ['a parameterised query', learned, 1],
  ['two parameterised queries', async (scope) => [await learned(scope), await learned(scope)], 2],
  ['a transaction of one plain query', ({ sql }) => sql.begin((tx) => tx`select 1`), 2],
  [
    'a transaction of one parameterised query',
    ({ sql }) => sql.begin((tx) => tx`select ${1}::int as learned`),
    2,
  ],
  [
    'a transaction of five parameterised queries',
    ({ sql }) =>
      sql.begin(async (tx) => {
        for (let n = 0; n < 5; n++) await tx`select ${n}::int as learned`
      }),
    6,
  ],
  [
    'a transaction with a savepoint',
    ({ sql }) => sql.begin((tx) => tx.savepoint((inner) => inner`select ${1}::int as learned`)),
    2,
  ],
  [
    'a transaction of an isolation level',
    ({ sql }) => sql.begin('isolation level serializable read only', (tx) => tx`select 1`),
    2,
  ],
  [
    'a transaction that is rolled back',
    ({ sql }) =>
      sql
        .begin(async (tx) => {
          await tx`select 1`
          throw new Error('no')
        })
        .catch(() => undefined),
    2,
  ],
]

/** What needs no server at all. */
const NOTHING: readonly [string, Shape][] = [
  ['nothing', async () => {}],
  ['an empty statement', ({ sql }) => sql.unsafe('')],
  ['an empty transaction', ({ sql }) => sql.begin(async () => 'nothing')],
]

function fresh(): string {
  return `select $1::int /* ${randomUUID()} */`
}

describe.each([
  ['PgBouncer', pgbouncer],
  ['Postgres', postgres],
] as const)('round trips to %s', (_name, target) => {
  describe.skipIf(!target)('on the counting proxy', () => {
    let bed: TestDatabase
    let proxy: CountingProxy
    beforeAll(async () => {
      bed = await createTestDatabase()
      proxy = await startCountingProxy({ target: target ?? postgres })
      const scope = connect()
      await learned(scope)
      await scope.close()
      await settled()
    })
    afterEach(() => settled())
    afterAll(async () => {
      await proxy.stop()
      await bed[Symbol.asyncDispose]()
    })

    const connect = (options: DatabaseOptions = {}): Scope =>
      createDatabase({ url: bed.url(proxy), ...options }).scope()

    async function settled(): Promise<void> {
      await proxy.until(({ connections }) => connections.every(({ open }) => !open))
      proxy.reset()
    }

    /** TCP's own round trip is the one that a proxy does not see. */
    async function count(scope: Scope, work: Shape, turns: number): Promise<void> {
      await work(scope)
      const counted = proxy.turns
      const { roundTrips, connects } = scope.metrics
      await scope.close()
      expect(counted).toBe(turns)
      expect(roundTrips).toBe(turns === 0 ? 0 : turns + 1)
      expect(connects).toBe(turns === 0 ? 0 : 1)
    }

    it.each(NOTHING)('%s: none', (_shape, work) => count(connect(), work, 0))

    it.each(SHAPES)('%s', (_shape, work, trips) => count(connect(), work, LOGIN.universal + trips))

    it.each(SHAPES)('%s, pipelined', (_shape, work, trips) =>
      count(connect({ pooler: 'pgbouncer' }), work, LOGIN.pipelined + trips),
    )

    it('TLS adds two: the request for it, and its handshake', async () => {
      await count(connect({ tls: { ca } }), learned, LOGIN.universal + 2 + 1)
    })

    it('TLS adds two, pipelined', async () => {
      await count(connect({ tls: { ca }, pooler: 'postgres' }), learned, LOGIN.pipelined + 2 + 1)
    })
  })
})
