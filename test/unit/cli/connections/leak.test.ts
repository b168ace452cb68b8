import { describe, expect, it } from 'vitest'
import { History, type HistoryPoint } from '../../../../src/cli/connections/history.ts'
import { findGrowth, LEAK_POINTS } from '../../../../src/cli/connections/leak.ts'
import type { ConnectionsSnapshot, SourceName } from '../../../../src/cli/connections/snapshot.ts'
import { findWarnings } from '../../../../src/cli/connections/warnings.ts'

/** One look every two seconds, with so many clients and transactions a second. */
function points(
  clients: (n: number) => number,
  transactions: (n: number) => number | null,
  count: number = LEAK_POINTS,
): HistoryPoint[] {
  return Array.from({ length: count }, (_, n) => ({
    at: n * 2000,
    usedConnections: null,
    clients: clients(n),
    waiting: 0,
    transactionsPerSecond: transactions(n),
    queriesPerSecond: null,
  }))
}

const growing = (n: number): number => 10 + n
const steady = (): number => 50

describe('findGrowth', () => {
  it.each<[string, HistoryPoint[], boolean]>([
    ['clients grow and requests do not', points(growing, steady), true],
    ['clients grow and requests stop', points(growing, (n) => 50 - 4 * n), true],
    ['nothing is asked at all', points(growing, () => 0), true],
    ['requests grow too', points(growing, (n) => 50 + 5 * n), false],
    ['clients stay', points(() => 40, steady), false],
    ['clients come and go', points((n) => 40 + (n % 3) * 5, steady), false],
    ['clients go', points((n) => 40 - n, steady), false],
    ['a few come to many', points((n) => 1000 + n, steady), false],
    ['three come to few', points((n) => 2 + Math.floor(n / 4), steady), false],
    ['nobody tells of requests', points(growing, () => null), false],
    ['there were not enough looks', points(growing, steady, LEAK_POINTS - 1), false],
    [
      'only what is long ago grew',
      [...points(growing, steady), ...points(() => 22, steady)],
      false,
    ],
  ])('%s', (_name, history, isLeak) => {
    expect(findGrowth(history) !== undefined).toBe(isLeak)
  })

  it('says from where to where, and in which time', () => {
    expect(findGrowth(points(growing, steady))).toEqual({ from: 10, to: 21, seconds: 22 })
  })
})

function snapshot(more: Partial<ConnectionsSnapshot>): ConnectionsSnapshot {
  return {
    format: 1,
    takenAt: new Date(0).toISOString(),
    server: null,
    connections: [],
    idleTransactions: [],
    clients: [],
    pools: [],
    traffic: { transactions: null, queries: null },
    warnings: [],
    sources: [],
    ...more,
  }
}

describe('findWarnings', () => {
  const idle = (idleSeconds: number): Partial<ConnectionsSnapshot> => ({
    idleTransactions: [
      { pid: 7, route: 'direct', role: 'app', application: '', database: 'app', idleSeconds },
    ],
  })

  it('allows a transaction to be idle for a minute', () => {
    expect(findWarnings(snapshot(idle(60)), [])).toEqual([])
    const [warning] = findWarnings(snapshot(idle(61.5)), [])
    expect(warning?.code).toBe('idle-in-transaction')
    expect(warning?.message).toContain('pid 7 (app), for 61 seconds')
    expect(warning?.fix).toContain('pg_terminate_backend(7)')
  })

  it('warns over 80 % and not at 80 %', () => {
    const server = {
      version: '18.4',
      maxConnections: 60,
      reservedConnections: 3,
      dataApiLimit: 24,
      highestLimit: 48,
    }
    const used = (usedConnections: number) => snapshot({ server: { ...server, usedConnections } })
    expect(findWarnings(used(48), [])).toEqual([])
    expect(findWarnings(used(49), []).map(({ code }) => code)).toEqual(['over-80-percent'])
  })
})

describe('History', () => {
  it('makes rates of counters, and none where a counter began anew', () => {
    const history = new History()
    const look = (second: number, transactions: number | null) =>
      history.add(
        snapshot({
          takenAt: new Date(second * 1000).toISOString(),
          traffic: { transactions, queries: null },
        }),
      ).transactionsPerSecond
    expect([look(0, 100), look(2, 150), look(4, 10), look(5, 20), look(6, null)]).toEqual([
      null,
      25,
      null,
      10,
      null,
    ])
  })

  it('makes none of the counts of two sources', () => {
    const history = new History()
    const look = (second: number, name: SourceName, transactions: number) =>
      history.add(
        snapshot({
          takenAt: new Date(second * 1000).toISOString(),
          traffic: { transactions, queries: null },
          sources: [{ name, state: 'answered', durationMs: 1 }],
        }),
      ).transactionsPerSecond
    expect([
      look(0, 'pgbouncer', 100),
      look(2, 'postgres', 9_000),
      look(4, 'postgres', 9_010),
      look(6, 'pgbouncer', 10_000),
    ]).toEqual([null, null, 5, null])
  })

  it('is bounded', () => {
    const history = new History()
    for (let n = 0; n < 1000; n++) history.add(snapshot({}))
    expect(history.points).toHaveLength(300)
  })
})
