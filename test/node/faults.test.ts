import { createDatabase, NullpoolError, type Scope } from 'nullpool'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import {
  type CountingProxy,
  type FaultAction,
  startCountingProxy,
} from '../support/counting-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const LIMITS = { connectTimeoutMs: 400, queryTimeoutMs: 400, closeTimeoutMs: 300 }

type How = 'fin' | 'rst' | 'silence'
const WAYS: readonly How[] = ['fin', 'rst', 'silence']

/** The server's answer of each turn, in clear: R10, R11, R12 to Z, rows; with TLS `S` is the first. */
const POINTS = [
  { point: 'before the answer to the request for TLS', turn: 1, query: '?sslmode=require' },
  { point: 'in the TLS handshake', turn: 2, query: '?sslmode=require' },
  { point: 'in the start-up', turn: 1, query: '' },
  { point: 'in SCRAM, before the challenge', turn: 2, query: '' },
  { point: 'in SCRAM, before the proof', turn: 3, query: '' },
] as const

describe('a server that goes away', () => {
  let bed: TestDatabase
  let proxy: CountingProxy
  let scope: Scope
  beforeAll(async () => {
    bed = await createTestDatabase()
  })
  beforeEach(async () => {
    proxy = await startCountingProxy({ target: inject('servers').postgres })
  })
  afterEach(() => proxy.stop())
  afterAll(() => bed[Symbol.asyncDispose]())

  const open = (query = ''): Scope => {
    const tls = query === '' ? {} : { tls: { ca: bed.servers.ca } }
    scope = createDatabase({ url: bed.url(proxy, { query }), ...LIMITS, ...tls }).scope()
    return scope
  }

  const goAwayAt = (turn: number, how: How, keep = 0): void => {
    const action: FaultAction =
      how === 'silence'
        ? keep > 0
          ? { truncate: keep, andThen: 'stall' }
          : 'stall'
        : keep > 0
          ? { truncate: keep, andThen: how }
          : { cut: how }
    proxy.inject({
      when: (event) => (event.direction === 'down' && event.turn === turn ? action : undefined),
    })
  }

  /** One error of the right kind, one attempt, and an end. */
  const expectFailure = async (
    failing: Promise<unknown>,
    code: string,
    retryable: boolean,
  ): Promise<void> => {
    const error = await failing.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(NullpoolError)
    expect(error).toMatchObject({ code, retryable })
    await expect(run(scope)).rejects.toBeInstanceOf(NullpoolError)
    await scope.close()
    expect(proxy.connections).toHaveLength(1)
  }

  for (const { point, turn, query } of POINTS) {
    it.each(WAYS)(`${point}, with %s`, async (how) => {
      goAwayAt(turn, how)
      open(query)
      const tlsHandshake = turn === 2 && query !== ''
      const code =
        how === 'silence'
          ? 'ERR_CONNECT_TIMEOUT'
          : tlsHandshake && how === 'fin'
            ? 'ERR_CONNECTION_LOST'
            : 'ERR_CONNECTION_LOST'
      await expectFailure(run(scope), code, true)
    })
  }

  it.each(WAYS)('in the middle of a result, with %s', async (how) => {
    goAwayAt(4, how, 40)
    open()
    const code = how === 'silence' ? 'ERR_QUERY_TIMEOUT' : 'ERR_CONNECTION_LOST'
    await expectFailure(run(scope), code, false)
  })

  it.each(['fin', 'rst'] as const)(
    'while idle, with %s: nothing ran, and it says so',
    async (how) => {
      open()
      await run(scope)
      proxy.cutAll(how)
      await proxy.until(() => proxy.connections.every((connection) => !connection.open))
      await expectFailure(run(scope), 'ERR_CONNECTION_LOST', true)
    },
  )

  it('while idle, in silence', async () => {
    open()
    await run(scope)
    proxy.stall()
    await expectFailure(run(scope), 'ERR_QUERY_TIMEOUT', false)
  })

  it.each(['fin', 'rst'] as const)(
    'under a cursor whose consumer is thinking, with %s: it never ends as if complete',
    async (how) => {
      const { sql } = open()
      const seen: number[] = []
      const reading = (async () => {
        for await (const rows of sql`select generate_series(1, 100) as n`.cursor(10)) {
          seen.push(...rows.map((row) => row.n as number))
          if (seen.length > 10) continue
          proxy.cutAll(how)
          await proxy.until(() => proxy.connections.every((connection) => !connection.open))
        }
      })()
      await expectFailure(reading, 'ERR_CONNECTION_LOST', false)
      expect(seen).toHaveLength(10)
    },
  )

  it.each(['fin', 'rst'] as const)(
    'between two statements of a transaction, with %s: everything settles, nothing is committed',
    async (how) => {
      const { sql } = open()
      await bed.sql`create table if not exists written (n int)`
      const working = sql.begin(async (tx) => {
        await tx`insert into written values (1)`
        proxy.cutAll(how)
        await proxy.until(() => proxy.connections.every((connection) => !connection.open))
        const settled = await Promise.allSettled([
          tx`insert into written values (${2})`,
          tx`insert into written values (${3})`,
          tx`insert into written values (4)`,
        ])
        expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
        throw (settled[0] as PromiseRejectedResult).reason
      })
      await expectFailure(working, 'ERR_CONNECTION_LOST', true)
      expect(await bed.sql`select * from written`).toHaveLength(0)
    },
  )

  it('under a COPY, with rst: the stream fails', async () => {
    const { sql } = open()
    await bed.sql`create table if not exists copied (n int)`
    const rows = await sql`copy copied from stdin`.writable()
    const failing = new Promise((_, reject) => rows.on('error', reject))
    proxy.cutAll('rst')
    await expectFailure(failing, 'ERR_CONNECTION_LOST', false)
  })

  it('does not disturb the next request', async () => {
    goAwayAt(2, 'rst')
    open()
    await expect(run(scope)).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' })
    proxy.reset()
    await using next = createDatabase({ url: bed.url(proxy), ...LIMITS }).scope()
    expect(await run(next)).toHaveLength(1)
  })
})

async function run(scope: Scope): Promise<unknown[]> {
  return [...(await scope.sql`select ${1}::int as n`)]
}
