import { randomUUID } from 'node:crypto'
import type { Client } from '@neondatabase/serverless'
import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { neonClient, neonPool } from 'nullpool/neon'
import { afterEach, describe, expect, inject, it, onTestFinished } from 'vitest'
import { startPgBouncer } from '../../src/cli/pgbouncer-server.ts'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { databaseUrl } from '../support/servers.ts'
import { StrictPoolerBed } from '../support/strict-pooler-bed.ts'
import { claimsOf } from '../support/supabase-schema.ts'
import { useCountedDatabase } from '../support/use-counted-database.ts'

const { pgbouncer, postgres, ca } = inject('servers')

/** The trips of a cold connection up to its first statement, that not counted, TCP neither. */
const LOGIN = { universal: 3, pipelined: 1 } as const
type Shape = (scope: Scope) => Promise<unknown>

/** A parameterised query that nobody has asked before. */
const parameterised = (client: Client): Promise<unknown> =>
  client.query(`select $1::int as n /* ${randomUUID()} */`, [1])

/** `BEGIN`, work and an end, as users of pg write it. */
const transaction =
  (work: (client: Client) => Promise<unknown>, begin = 'begin', end = 'commit'): Shape =>
  async (scope) => {
    const client = neonClient(scope)
    await client.query(begin)
    await work(client)
    await client.query(end)
  }

/** What a request does, and the trips that it takes behind the login. */
const SHAPES: readonly [string, Shape, number][] = [
  ['a plain query', (scope) => neonClient(scope).query('select 1'), 1],
  ['a parameterised query, at first sight too', (scope) => parameterised(neonClient(scope)), 1],
  [
    'three one after another',
    async (scope) => {
      const client = neonClient(scope)
      for (let n = 0; n < 3; n += 1) await parameterised(client)
    },
    3,
  ],
  [
    'twenty at once: each client sends one after another, and clients take turns',
    (scope) => {
      const pool = neonPool(scope)
      return Promise.all(Array.from({ length: 20 }, (_, n) => pool.query('select $1::int', [n])))
    },
    20,
  ],
  ['a transaction of one query', transaction(parameterised), 2],
  [
    'a transaction of five queries',
    transaction(async (client) => {
      for (let n = 0; n < 5; n += 1) await parameterised(client)
    }),
    6,
  ],
  ['a transaction of a level', transaction(parameterised, 'begin isolation level serializable'), 2],
  ['a transaction that is rolled back', transaction(parameterised, 'begin', 'rollback'), 2],
  [
    'a transaction with a savepoint',
    transaction(async (client) => {
      await client.query('savepoint s')
      await parameterised(client)
      await client.query('release savepoint s')
    }),
    4,
  ],
]

/** The same for somebody: what the wire puts before costs nothing. */
const UNDER_CLAIMS: readonly [string, Shape, number][] = [
  ['a plain query', (scope) => neonClient(scope).query('select 1'), 1],
  ['a parameterised query', (scope) => parameterised(neonClient(scope)), 1],
  ['a transaction of one query', transaction(parameterised), 2],
]

/** What needs no server at all. */
const NOTHING: readonly [string, Shape][] = [
  [
    'connecting and leaving',
    (scope) =>
      neonPool(scope)
        .connect()
        .then((one) => one.release()),
  ],
  ['an empty statement', (scope) => neonClient(scope).query('')],
  ['an empty transaction', transaction(async () => undefined)],
]

/** TCP's own round trip is the one that a proxy does not see. */
async function count(
  proxy: CountingProxy,
  scope: Scope,
  work: Shape,
  turns: number,
  used = scope,
): Promise<void> {
  await work(used)
  const counted = proxy.turns
  const { roundTrips, connects } = scope.metrics
  await scope.close()
  expect(counted).toBe(turns)
  expect(roundTrips).toBe(turns === 0 ? 0 : turns + 1)
  expect(connects).toBe(turns === 0 ? 0 : 1)
}

async function settled(proxy: CountingProxy): Promise<void> {
  await proxy.until(({ connections }) => connections.every(({ open }) => !open))
  proxy.reset()
}

describe.each([
  ['PgBouncer', pgbouncer],
  ['Postgres', postgres],
] as const)('round trips of Neon’s driver to %s', (_name, target) => {
  describe.skipIf(!target)('on the counting proxy', () => {
    const counted = useCountedDatabase(target ?? postgres)
    afterEach(() => settled(counted.proxy))
    const connect = (options: DatabaseOptions = {}): Scope =>
      createDatabase({ url: counted.bed.url(counted.proxy), ...options }).scope()

    it.each(NOTHING)('%s: none', (_shape, work) => count(counted.proxy, connect(), work, 0))

    it.each(SHAPES)('%s', (_shape, work, trips) =>
      count(counted.proxy, connect(), work, LOGIN.universal + trips),
    )

    it.each(SHAPES)('%s, pipelined', (_shape, work, trips) =>
      count(counted.proxy, connect({ pooler: 'pgbouncer' }), work, LOGIN.pipelined + trips),
    )

    it.each(UNDER_CLAIMS)('%s under claims', async (_shape, work, trips) => {
      const scope = connect({ pooler: 'pgbouncer' })
      const turns = LOGIN.pipelined + trips
      await count(counted.proxy, scope, work, turns, scope.as(claimsOf(1)))
    })

    it('TLS adds two: the request for it, and its handshake', async () => {
      const scope = connect({ tls: { ca }, pooler: 'postgres' })
      await count(
        counted.proxy,
        scope,
        (used) => parameterised(neonClient(used)),
        LOGIN.pipelined + 2 + 1,
      )
    })
  })
})

describe('round trips of Neon’s driver', () => {
  it('three to the first row over TLS that begins at once', async () => {
    const proxy = await startCountingProxy({ target: postgres })
    onTestFinished(() => proxy.stop())
    const query = 'sslmode=verify-full&sslnegotiation=direct'
    const url = `${databaseUrl(proxy, 'postgres', postgres)}?${query}`
    const scope = createDatabase({ url, tls: { ca } }).scope()
    await count(proxy, scope, (used) => parameterised(neonClient(used)), 3)
  })

  it.skipIf(!pgbouncer)('two to the first row where no password is asked for', async () => {
    const users = { [postgres.user]: postgres.password }
    const server = await startPgBouncer({ upstream: postgres, users, authType: 'trust' })
    onTestFinished(() => server.stop())
    const proxy = await startCountingProxy({ target: server })
    onTestFinished(() => proxy.stop())
    const url = databaseUrl(proxy, 'postgres', postgres)
    const open = (): Scope => createDatabase({ url, pooler: 'hyperdrive' }).scope()
    for (const [, work, trips] of SHAPES) {
      await count(proxy, open(), work, 1 + trips)
      await settled(proxy)
    }
  })

  it('as many to a pooler that takes one delivery for one message', async () => {
    await using strict = await StrictPoolerBed.create()
    const pooler = await strict.start()
    const proxy = await startCountingProxy({ target: pooler })
    onTestFinished(() => proxy.stop())
    const { user, password, database } = strict.login(pooler)
    const url = databaseUrl(proxy, database, { user, password })
    for (const [, work, trips] of SHAPES) {
      const scope = createDatabase({ url, pooler: 'supavisor' }).scope()
      await count(proxy, scope, work, LOGIN.universal + trips)
      await settled(proxy)
    }
  })
})
