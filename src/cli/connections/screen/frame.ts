import { duration, rate } from '../cell-texts.ts'
import { bold, cyan, dim, green, inverse, red, yellow } from '../colours.ts'
import type { HistoryPoint } from '../history.ts'
import { type ConnectionsSnapshot, clientsOf, waitingOf } from '../snapshot.ts'
import { type ChartCell, limitChart, sparkline } from './chart.ts'
import { fitted } from './fitted-text.ts'
import { chosen, type ViewState } from './view-state.ts'

/** The room there is. */
export interface ScreenSize {
  columns: number
  rows: number
}

/** What a frame shows. */
export interface FrameContent {
  snapshot: ConnectionsSnapshot
  points: readonly HistoryPoint[]
  view: ViewState
  /** Where the database is; holds no secret. */
  place: string
}

const CHART_ROWS = 7
const LABEL_COLUMNS = 10
const MAX_WARNINGS = 3
/** Below this many rows the table is worth more than the chart. */
const ROWS_FOR_CHART = 20

/** One screen: exactly `rows` lines, none wider than `columns`. */
export function drawFrame(content: FrameContent, size: ScreenSize): string[] {
  const { snapshot, view } = content
  const top = [
    header(content, size.columns),
    ...(size.rows >= ROWS_FOR_CHART ? chartLines(content, size.columns) : []),
    sparklines(content, size.columns),
    ...messages(snapshot, size.columns),
  ]
  const room = Math.max(size.rows - top.length - 2, 0)
  const lines = [...top, ...tableLines(snapshot, view, size.columns, room)].slice(0, size.rows - 1)
  while (lines.length < size.rows - 1) lines.push('')
  return [...lines, footer(view, size.columns)]
}

function header({ snapshot, place, view }: FrameContent, columns: number): string {
  const { server, takenAt } = snapshot
  const used = server ? `${server.usedConnections} of ${server.maxConnections} connections` : ''
  const time = view.isPaused ? 'paused' : takenAt.slice(11, 19)
  const left = ` ${used}  ${place}${server ? `  Postgres ${server.version}` : ''}`
  return inverse(fitted(left, columns - time.length - 1) + time.padEnd(time.length + 1))
}

function chartLines({ snapshot: { server }, points }: FrameContent, columns: number): string[] {
  if (server === null) return []
  const limits = [
    { at: server.dataApiLimit, label: `40 % ${server.dataApiLimit}` },
    { at: server.highestLimit, label: `80 % ${server.highestLimit}` },
  ]
  const used = points.map(({ usedConnections }) => usedConnections)
  const size = {
    top: server.maxConnections,
    columns: columns - LABEL_COLUMNS - 2,
    rows: CHART_ROWS,
  }
  return limitChart(used, limits, size).map(
    ({ label, cells }) =>
      `${dim(fitted(label, LABEL_COLUMNS, 'right'))} ${cells.map(painted).join('')}`,
  )
}

function painted({ character, kind, over }: ChartCell): string {
  if (kind === 'empty') return character
  if (kind === 'limit') return over > 1 ? red(character) : yellow(character)
  const colours = [green, yellow, red]
  return (colours[over] ?? red)(character)
}

function sparklines({ snapshot, points }: FrameContent, columns: number): string {
  const latest = points.at(-1)
  const parts: [string, string, (number | null)[]][] = [
    ['clients', `${latest?.clients ?? clientsOf(snapshot)}`, points.map(({ clients }) => clients)],
    ['waiting', `${waitingOf(snapshot)}`, points.map(({ waiting }) => waiting)],
    [
      'tx/s',
      rate(latest?.transactionsPerSecond ?? null),
      points.map((point) => point.transactionsPerSecond),
    ],
  ]
  const share = Math.floor(columns / parts.length)
  return parts
    .map(([name, value, values]) => {
      const text = ` ${name} ${value} `
      const room = share - text.length - 1
      if (room < 3) return fitted(text, share)
      return ` ${name} ${bold(value)} ${cyan(sparkline(values, room))} `
    })
    .join('')
}

function messages({ warnings, sources }: ConnectionsSnapshot, columns: number): string[] {
  const failed = sources
    .filter(({ state }) => state === 'failed')
    .map(({ name, problem }) => red(fitted(` ${name}: ${problem}`, columns)))
  const lines = warnings.map(({ message }) => yellow(fitted(` ! ${message}`, columns)))
  return [...lines, ...failed].slice(0, MAX_WARNINGS)
}

/** Columns of the table: name, width (0: what is left, shared), side. */
const COLUMNS: [string, number, 'left' | 'right'][] = [
  ['conns', 5, 'right'],
  ['route', 7, 'left'],
  ['role', 0, 'left'],
  ['application', 0, 'left'],
  ['database', 0, 'left'],
  ['state', 19, 'left'],
  ['oldest tx', 9, 'right'],
]

function tableLines(
  { connections }: ConnectionsSnapshot,
  view: ViewState,
  columns: number,
  room: number,
): string[] {
  const fixed = COLUMNS.reduce((sum, [, width]) => sum + width + 1, 1)
  const flexible = COLUMNS.filter(([, width]) => width === 0).length
  const share = Math.max(Math.floor((columns - fixed) / flexible), 4)
  const row = (cells: readonly string[]): string => {
    const texts = COLUMNS.map(([, width, side], n) => fitted(cells[n] ?? '', width || share, side))
    return fitted(` ${texts.join(' ')}`, columns)
  }
  const groups = chosen(connections, view)
  const offset = Math.min(view.offset, Math.max(groups.length - room, 0))
  return [
    bold(row(COLUMNS.map(([name]) => name))),
    ...groups
      .slice(offset, offset + room)
      .map((group) =>
        row([
          `${group.connections}`,
          group.route,
          group.role,
          group.application,
          group.database,
          group.state,
          duration(group.oldestTransactionSeconds),
        ]),
      ),
  ]
}

function footer(view: ViewState, columns: number): string {
  if (view.isTyping)
    return inverse(fitted(` filter: ${view.filter}▏ Enter keeps, Esc clears`, columns))
  const filter = view.filter === '' ? '/ filter' : `/ filter: ${view.filter} (Esc clears)`
  const pause = view.isPaused ? 'p go on' : 'p pause'
  return dim(fitted(` s sort: ${view.sort}   ${filter}   ${pause}   ↑↓ scroll   q quit`, columns))
}
