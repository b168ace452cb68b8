import type { Scope } from 'nullpool'
import { describe, expect, it, vi } from 'vitest'
import { createDatabase } from '../../src/database.ts'
import { NullpoolError } from '../../src/errors.ts'
import { afterBytes, atWrite, type Cut, closeAt } from '../support/cuts.ts'
import { MemoryBackend } from '../support/memory-backend.ts'
import { MemoryServer, rest } from '../support/memory-server.ts'

/** What requests do in transactions; each inserts `a` and `b`, or nothing. */
const WORKS: readonly [string, (scope: Scope) => Promise<unknown>][] = [
  [
    'two inserts',
    (scope) =>
      scope.transaction(async (sql) => {
        await sql.unsafe('insert a')
        await sql.unsafe('insert b')
      }),
  ],
  [
    'statements with values and pauses',
    (scope) =>
      scope.transaction({ isolation: 'serializable' }, async (sql) => {
        await sql.unsafe('insert a')
        await rest()
        await sql`rows ${2}`
        await rest()
        await sql.unsafe('insert b')
        await rest()
      }),
  ],
  [
    'a savepoint that is rolled back, with settings',
    (scope) =>
      scope.transaction({ settings: { 'app.user': 'x' } }, async (sql) => {
        await sql.unsafe('insert a')
        await sql.savepoint((inner) => inner.unsafe('fail')).catch(() => undefined)
        await sql.unsafe('insert b')
      }),
  ],
  [
    'a transaction inside of it, and a statement beside it',
    (scope) =>
      Promise.all([
        scope.transaction(async (sql) => {
          await sql.unsafe('insert a')
          await scope.transaction((inner) => inner.unsafe('insert b'))
        }),
        scope.sql`rows ${1}`.catch(() => undefined),
      ]),
  ],
  ['a batch', (scope) => scope.batch((sql) => ['a', 'b'].map((n) => sql.unsafe(`insert ${n}`)))],
  [
    'a batch with values, for somebody',
    (scope) =>
      scope
        .as({ sub: 'x' })
        .batch((sql) => [sql.unsafe('insert a'), sql`rows ${2}`, sql.unsafe('insert b')]),
  ],
  [
    'work that waits for something else when the connection goes',
    (scope) =>
      scope.transaction(async (sql) => {
        await sql.unsafe('insert a')
        for (let turn = 0; turn < 20; turn += 1) await rest()
        await sql.unsafe('insert b')
      }),
  ],
]

async function run(work: (scope: Scope) => Promise<unknown>, cut: Cut) {
  const server = new MemoryServer()
  const database = createDatabase({
    url: 'postgres://alice:secret@db.test:6543/shop',
    ...{ transport: server, tls: 'disable', pooler: 'supavisor' },
    ...{ queryTimeoutMs: 60_000, closeTimeoutMs: 10 },
  })
  const scope = database.scope() as unknown as Scope
  let outcome: unknown = 'pending'
  work(scope).then(
    () => {
      outcome = 'committed'
    },
    (error: unknown) => {
      outcome = error
    },
  )
  const peer = await server.accept()
  const backend = new MemoryBackend(peer)
  const said = { bytes: 0, writes: 0 }
  cut({ peer, said, close: () => void scope.close() })
  void backend.serve()
  const givenUpAt = Date.now() + 5_000
  while (outcome === 'pending' && Date.now() < givenUpAt) await rest()
  await scope.close()
  return { outcome, committed: backend.committed, said }
}

/** What was said of the transaction must be so. */
function check({ outcome, committed }: Awaited<ReturnType<typeof run>>, where: string): string {
  expect(outcome, where).not.toBe('pending')
  expect([0, 2], where).toContain(committed.length)
  if (outcome === 'committed') {
    expect(committed, where).toEqual(['insert a', 'insert b'])
    return 'committed'
  }
  expect(NullpoolError.is(outcome), `${where}: ${outcome}`).toBe(true)
  const { outcome: known, message } = outcome as NullpoolError
  expect(['rolled back', 'unknown'], `${where}: ${outcome}`).toContain(known)
  if (known === 'rolled back') expect(committed, where).toEqual([])
  expect(message).toContain(known === 'unknown' ? 'is not known' : 'was rolled back')
  return String(known)
}

describe('transaction() says what became of it', () => {
  it.each(WORKS)(
    'transaction() never lies: %s, cut after every byte of the server',
    async (name, work) => {
      const unhandled = vi.fn()
      process.on('unhandledRejection', unhandled)
      // The first time it is described, which takes more bytes.
      await run(work, afterBytes(Number.POSITIVE_INFINITY))
      const whole = await run(work, afterBytes(Number.POSITIVE_INFINITY))
      expect(check(whole, 'whole')).toBe('committed')
      const seen = new Set<string>()
      for (let limit = 0; limit < whole.said.bytes; limit += 1) {
        seen.add(check(await run(work, afterBytes(limit)), `byte ${limit}`))
      }
      // Behind the confirmation of COMMIT there is a ReadyForQuery that can be missed; of a batch, it is one.
      const committed = name.startsWith('a batch') ? [] : ['committed']
      expect([...seen].sort()).toEqual([...committed, 'rolled back', 'unknown'])
      await rest()
      process.off('unhandledRejection', unhandled)
      expect(unhandled).not.toHaveBeenCalled()
    },
  )

  it.each(WORKS)('transaction() never lies: %s, broken at every write', async (_, work) => {
    const whole = await run(work, atWrite(Number.POSITIVE_INFINITY))
    for (let limit = 1; limit <= whole.said.writes; limit += 1) {
      check(await run(work, atWrite(limit)), `write ${limit}`)
    }
  })

  it.each(WORKS)('transaction() never lies: %s, closed at every answer', async (_, work) => {
    const whole = await run(work, closeAt(Number.POSITIVE_INFINITY))
    for (let limit = 1; limit <= whole.said.writes; limit += 1) {
      check(await run(work, closeAt(limit)), `answer ${limit}`)
    }
  })
})
