import type { ConnectionGroup } from '../snapshot.ts'

/** What the table can be sorted by, in the order in which the key goes through it. */
export const SORTS = ['connections', 'oldest', 'role', 'application', 'database', 'state'] as const

const MAX_FILTER = 60

/** What somebody at the keyboard has chosen. */
export interface ViewState {
  sort: (typeof SORTS)[number]
  filter: string
  /** Whether the filter is being written. */
  isTyping: boolean
  isPaused: boolean
  /** The first row of the table that is shown. */
  offset: number
}

export const FIRST_VIEW: ViewState = {
  sort: 'connections',
  filter: '',
  isTyping: false,
  isPaused: false,
  offset: 0,
}

/** A key, as Node's `readline` names it. */
export interface Key {
  name?: string | undefined
  sequence?: string | undefined
  ctrl?: boolean | undefined
  meta?: boolean | undefined
}

/** What a key does to the view; `'quit'` where it ends it. */
export function pressed(view: ViewState, key: Key): ViewState | 'quit' {
  if (key.ctrl && (key.name === 'c' || key.name === 'd')) return 'quit'
  if (view.isTyping) return typed(view, key)
  switch (key.name ?? key.sequence) {
    case 'q':
      return 'quit'
    case 's':
      return { ...view, sort: following(view.sort), offset: 0 }
    case 'p':
    case 'space':
      return { ...view, isPaused: !view.isPaused }
    case 'up':
    case 'k':
      return { ...view, offset: Math.max(view.offset - 1, 0) }
    case 'down':
    case 'j':
      return { ...view, offset: view.offset + 1 }
    case 'escape':
      return { ...view, filter: '', offset: 0 }
    default:
      return key.sequence === '/' || key.name === 'f' ? { ...view, isTyping: true } : view
  }
}

function typed(view: ViewState, key: Key): ViewState {
  if (key.name === 'return' || key.name === 'enter') return { ...view, isTyping: false }
  if (key.name === 'escape') return { ...view, isTyping: false, filter: '', offset: 0 }
  if (key.name === 'backspace') return { ...view, filter: view.filter.slice(0, -1), offset: 0 }
  const text = key.sequence ?? ''
  const isText = !key.ctrl && !key.meta && /^[^\p{Cc}]+$/u.test(text)
  if (!isText || view.filter.length + text.length > MAX_FILTER) return view
  return { ...view, filter: view.filter + text, offset: 0 }
}

function following(sort: ViewState['sort']): ViewState['sort'] {
  return SORTS[(SORTS.indexOf(sort) + 1) % SORTS.length] ?? 'connections'
}

/** The groups that the filter lets through, in the order that was chosen. */
export function chosen(groups: readonly ConnectionGroup[], view: ViewState): ConnectionGroup[] {
  const wanted = view.filter.toLowerCase()
  const isWanted = ({ route, role, application, database, state }: ConnectionGroup): boolean =>
    [route, role, application, database, state].join(' ').toLowerCase().includes(wanted)
  return groups.filter(isWanted).toSorted(orders[view.sort])
}

type Order = (one: ConnectionGroup, other: ConnectionGroup) => number

const byConnections: Order = (one, other) => other.connections - one.connections
const byName =
  (name: 'role' | 'application' | 'database' | 'state'): Order =>
  (one, other) =>
    one[name].localeCompare(other[name]) || byConnections(one, other)

const orders: Record<ViewState['sort'], Order> = {
  connections: byConnections,
  oldest: (one, other) =>
    (other.oldestTransactionSeconds ?? -1) - (one.oldestTransactionSeconds ?? -1),
  role: byName('role'),
  application: byName('application'),
  database: byName('database'),
  state: byName('state'),
}
