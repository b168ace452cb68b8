import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { limitChart, sparkline } from '../../../../src/cli/connections/screen/chart.ts'
import { fitted } from '../../../../src/cli/connections/screen/fitted-text.ts'
import { drawFrame } from '../../../../src/cli/connections/screen/frame.ts'
import {
  chosen,
  FIRST_VIEW,
  pressed,
  type ViewState,
} from '../../../../src/cli/connections/screen/view-state.ts'
import type {
  ConnectionGroup,
  ConnectionsSnapshot,
} from '../../../../src/cli/connections/snapshot.ts'

const group = (connections: number, role: string, oldest: number | null): ConnectionGroup => ({
  route: 'direct',
  role,
  application: `${role} 名前 service`,
  database: 'app',
  state: 'idle',
  connections,
  oldestTransactionSeconds: oldest,
})

const GROUPS = [group(5, 'b', 1), group(9, 'c', null), group(7, 'a', 30)]

describe('the view', () => {
  const after = (...keys: string[]): ViewState =>
    keys.reduce<ViewState>((view, name) => {
      const next = pressed(view, { name, sequence: name })
      if (next === 'quit') throw new Error('It quits.')
      return next
    }, FIRST_VIEW)

  it('sorts by what was chosen', () => {
    const roles = (view: ViewState): string[] => chosen(GROUPS, view).map(({ role }) => role)
    expect(roles(after())).toEqual(['c', 'a', 'b'])
    expect(roles(after('s'))).toEqual(['a', 'b', 'c'])
    expect(after('s').sort).toBe('oldest')
    expect(roles(after('s', 's'))).toEqual(['a', 'b', 'c'])
    expect(after('s', 's', 's', 's', 's', 's').sort).toBe('connections')
  })

  it('takes q for a letter while the filter is written', () => {
    expect(after('/', 'q', 'p').filter).toBe('qp')
    expect(after('/', 'q', 'backspace', 'return')).toMatchObject({ filter: '', isTyping: false })
    expect(pressed(FIRST_VIEW, { name: 'q' })).toBe('quit')
    expect(pressed(after('/'), { name: 'c', ctrl: true })).toBe('quit')
  })

  it('bounds what can be written', () => {
    const keys = Array.from({ length: 500 }, () => 'x')
    expect(after('/', ...keys).filter).toHaveLength(60)
  })
})

describe('the charts', () => {
  it('draws bars from nothing to the largest', () => {
    expect(sparkline([0, 1, 4, 8, null], 6)).toBe(' ▁▁▄█ ')
    expect(sparkline([], 3)).toBe('   ')
  })

  it('draws the limits where nothing is in front of them, and colours what is over them', () => {
    const limits = [
      { at: 40, label: '40 %' },
      { at: 80, label: '80 %' },
    ]
    const rows = limitChart([10, 60, 100], limits, { top: 100, columns: 4, rows: 5 })
    expect(rows.map(({ label }) => label)).toEqual(['100', '80 %', '', '40 %', ''])
    const drawn = rows.map(({ cells }) => cells.map(({ character }) => character).join(''))
    expect(drawn).toEqual(['   █', '┄┄┄█', '  ██', '┄┄██', ' ▄██'])
    expect(rows[4]?.cells.map(({ over }) => over)).toEqual([0, 0, 1, 2])
  })
})

describe('a frame', () => {
  const snapshot: ConnectionsSnapshot = {
    format: 1,
    takenAt: '2026-11-24T12:00:00.000Z',
    server: {
      version: '18.4',
      maxConnections: 100,
      reservedConnections: 3,
      usedConnections: 21,
      dataApiLimit: 40,
      highestLimit: 80,
    },
    connections: Array.from({ length: 50 }, (_, n) => group(n, `role ${n}`, n)),
    idleTransactions: [],
    clients: [],
    pools: [],
    traffic: { transactions: 1, queries: null },
    warnings: [{ code: 'clients-waiting', message: 'w'.repeat(300), fix: '' }],
    sources: [{ name: 'pgbouncer', state: 'failed', durationMs: 1, problem: 'It is away.' }],
  }

  it.each([
    [80, 24],
    [40, 10],
    [200, 60],
    [20, 5],
    [10, 2],
  ])('fits %d columns and %d rows', (columns, rows) => {
    const content = { snapshot, points: [], view: FIRST_VIEW, place: 'a place' }
    const lines = drawFrame(content, { columns, rows })
    expect(lines).toHaveLength(rows)
    for (const line of lines) expect(stringWidth(line), line).toBeLessThanOrEqual(columns)
  })

  it('cuts by columns and not by characters', () => {
    expect(fitted('名前です', 5)).toBe('名前…')
    expect(fitted('名前です', 4)).toBe('名… ')
    expect(fitted('ab', 4, 'right')).toBe('  ab')
  })
})
