/** The page of `nullpool connections --web`; it runs in a browser. */
import { duration, rate } from '../../cell-texts.ts'
import type { HistoryPoint } from '../../history.ts'
import type { Look } from '../../sampler.ts'
import type { ConnectionGroup, ConnectionsSnapshot, IdleTransaction, Pool } from '../../snapshot.ts'
import { LiveChart } from './charts.ts'
import { type Column, fillTable } from './tables.ts'

/** As many as the server keeps. */
const MAX_POINTS = 300

let points: HistoryPoint[] = []
let snapshot: ConnectionsSnapshot | undefined

function element<Kind extends HTMLElement>(id: string): Kind {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`There is no element ${id}.`)
  return found as Kind
}

const blue = { light: '#0b57d0', dark: '#8ab4f8' }
const amber = { light: '#9a6700', dark: '#e3b341' }
const red = { light: '#b3261e', dark: '#ff8a80' }
const limit = (name: 'dataApiLimit' | 'highestLimit') => () => snapshot?.server?.[name] ?? null

const charts = [
  new LiveChart(element('connections-chart'), [
    { label: 'in use', ...blue, value: (point) => point.usedConnections },
    { label: '40 %', ...amber, dash: [6, 4], value: limit('dataApiLimit') },
    { label: '80 %', ...red, dash: [6, 4], value: limit('highestLimit') },
  ]),
  new LiveChart(element('clients-chart'), [
    { label: 'clients', ...blue, value: (point) => point.clients },
    { label: 'waiting', ...red, value: (point) => point.waiting },
  ]),
  new LiveChart(element('traffic-chart'), [
    { label: 'transactions/s', ...blue, value: (point) => point.transactionsPerSecond },
  ]),
]

const GROUPS: Column<ConnectionGroup>[] = [
  ['Connections', (group) => group.connections],
  ['Route', (group) => group.route],
  ['Role', (group) => group.role],
  ['Application', (group) => group.application],
  ['Database', (group) => group.database],
  ['State', (group) => group.state],
  ['Oldest transaction', (group) => duration(group.oldestTransactionSeconds)],
]

const POOLS: Column<Pool>[] = [
  ['Pool', (pool) => `${pool.pooler}: ${pool.database}`],
  ['Role', (pool) => pool.role],
  ['Mode', (pool) => pool.mode],
  ['Clients', (pool) => pool.clientsActive],
  ['Waiting', (pool) => pool.clientsWaiting],
  ['Longest wait', (pool) => duration(pool.longestWaitSeconds)],
  ['Servers', (pool) => pool.serversActive],
  ['Idle', (pool) => pool.serversIdle],
  ['Size', (pool) => pool.poolSize ?? ''],
]

const IDLE: Column<IdleTransaction>[] = [
  ['For', (each) => duration(each.idleSeconds)],
  ['Pid', (each) => each.pid],
  ['Route', (each) => each.route],
  ['Role', (each) => each.role],
  ['Application', (each) => each.application],
  ['Database', (each) => each.database],
  ['Last statement', (each) => each.query ?? '(--queries shows it)'],
]

function show(): void {
  if (snapshot === undefined) return
  const { server, takenAt, idleTransactions, pools } = snapshot
  const last = points.at(-1)
  const used = server ? `${server.usedConnections} of ${server.maxConnections} in use` : 'unknown'
  element('summary').textContent = server
    ? `${used}, Postgres ${server.version}, ${new Date(takenAt).toLocaleTimeString()}`
    : new Date(takenAt).toLocaleTimeString()
  element('connections-text').textContent = server
    ? `${used}; 40 % is ${server.dataApiLimit}, 80 % is ${server.highestLimit}`
    : used
  element('clients-text').textContent =
    `${last?.clients ?? 0} clients, ${last?.waiting ?? 0} waiting`
  element('traffic-text').textContent = `${rate(last?.transactionsPerSecond ?? null)} a second`
  for (const chart of charts) chart.show(points)
  showWarnings(snapshot)
  showGroups()
  fillTable(element<HTMLTableElement>('pools'), POOLS, pools)
  fillTable(element<HTMLTableElement>('idle'), IDLE, idleTransactions)
}

function showGroups(): void {
  const wanted = element<HTMLInputElement>('filter').value.toLowerCase()
  const groups = (snapshot?.connections ?? []).filter((group) =>
    GROUPS.some(([, cell]) => `${cell(group)}`.toLowerCase().includes(wanted)),
  )
  fillTable(element<HTMLTableElement>('groups'), GROUPS, groups)
}

let shownWarnings = ''

/** Left alone while it says the same: it is read aloud whenever it changes. */
function showWarnings({ warnings, sources }: ConnectionsSnapshot): void {
  const failed = sources.filter(({ state }) => state === 'failed')
  const lines = [
    ...warnings.map(({ message, fix }) => ({ message, fix })),
    ...failed.map(({ name, problem }) => ({ message: `${name}: ${problem}`, fix: '' })),
  ]
  const text = JSON.stringify(lines)
  if (text === shownWarnings) return
  shownWarnings = text
  element('warnings').replaceChildren(
    ...(lines.length > 0 ? lines : [{ message: 'None', fix: '' }]).map(({ message, fix }) => {
      const item = document.createElement('li')
      const small = document.createElement('small')
      small.textContent = fix
      item.append(message, ...(fix ? [small] : []))
      item.className = lines.length > 0 ? 'warning' : 'none'
      return item
    }),
  )
}

element('filter').addEventListener('input', showGroups)

const events = new EventSource('/events')
events.addEventListener('open', () => {
  element('link').textContent = 'Live'
})
events.addEventListener('error', () => {
  element('link').textContent = 'No connection; trying again'
})
events.addEventListener('history', ({ data }) => {
  points = JSON.parse(data)
})
events.addEventListener('look', ({ data }) => {
  const look: Look = JSON.parse(data)
  snapshot = look.snapshot
  if (points.at(-1)?.at !== look.point.at) points = [...points, look.point].slice(-MAX_POINTS)
  show()
})
