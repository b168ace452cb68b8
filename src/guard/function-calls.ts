import { isConstant, isTrue, textOf } from './constant.ts'
import { nameOf, namesAt, type Pieces } from './statement-pieces.ts'

const ADVISORY = /^pg_(?:(?:try_)?advisory_lock(?:_shared)?|advisory_unlock(?:_shared|_all)?)$/

/** Statements that only name functions, or keep what is to be run later; but for tables. */
const DEFINES = /^(?:create|drop|alter|grant|revoke|comment|security)$/
const KINDS = /^(?:or|replace|global|local|temp|temporary|unlogged)$/

/** A call of `set_config`. */
export interface SettingCall {
  /** The setting's name, where it is written out. */
  name: string | undefined
  isLocal: Pieces
}

/** Whether a lock of the session is taken or given back. */
export function advisoryLock(pieces: Pieces): boolean {
  return callsIn(pieces).some((at) => ADVISORY.test(nameOf(pieces[at])))
}

export function settingCalls(pieces: Pieces): SettingCall[] {
  const calls = callsIn(pieces).filter((at) => nameOf(pieces[at]) === 'set_config')
  const bounds = calls.length > 0 ? boundsOfArguments(pieces) : undefined
  return calls.map((at) => {
    const given = argumentsOf(pieces, bounds?.get(at + 1) ?? [])
    const name = textOf(argument(given, 0, 'setting_name'))
    return { name, isLocal: argument(given, 2, 'is_local') }
  })
}

/** Whether `is_local` is a constant that may be false or NULL, which the server takes for false. */
export function staysSet(pieces: Pieces): boolean {
  // The server undoes what the query of a materialized view has set.
  if (pieces[0] === 'create' && pieces[1] === 'materialized') return false
  return settingCalls(pieces).some(({ isLocal }) => isConstant(isLocal) && !isTrue(isLocal))
}

/** An UPDATE of the view `pg_settings` is a SET. */
export function updatesSettings(pieces: Pieces): boolean {
  return pieces.some((piece, at) => {
    if (piece !== 'update' || onlyDefines(pieces)) return false
    const only = pieces[at + 1] === 'only' ? at + 2 : at + 1
    const name = pieces[only] === '(' ? only + 1 : only
    const [view, schema = 'pg_catalog'] = namesAt(pieces, name).reverse()
    return view === 'pg_settings' && schema === 'pg_catalog'
  })
}

/** Where the server's own functions are called. */
function callsIn(pieces: Pieces): number[] {
  if (onlyDefines(pieces)) return []
  const at = [...pieces.keys()]
  return at.filter((at) => at > 0 && pieces[at + 1] === '(' && isServersOwn(pieces, at))
}

function onlyDefines(pieces: Pieces): boolean {
  const kind = pieces.find((piece, at) => at > 0 && !KINDS.test(piece)) ?? ''
  return DEFINES.test(pieces[0] ?? '') && !/^(?:table|materialized)$/.test(kind)
}

/** A function of the same name in another schema is another function. */
function isServersOwn(pieces: Pieces, at: number): boolean {
  return pieces[at - 1] !== '.' || nameOf(pieces[at - 2]) === 'pg_catalog'
}

/** The argument of that name, or in that place. */
function argument(all: readonly Pieces[], place: number, name: string): Pieces {
  const isNamed = ([first, second = '', third = '']: Pieces): boolean =>
    nameOf(first) === name && /^(?:=>|:=)$/.test(second + third)
  return all.find(isNamed)?.slice(3) ?? all[place] ?? []
}

/** Where parentheses open, what is between them, by commas: where it begins, each comma, where it ends. */
function boundsOfArguments(pieces: Pieces): Map<number, number[]> {
  const all = new Map<number, number[]>()
  const open: number[][] = []
  for (const [at, piece] of pieces.entries()) {
    if (/^[([]$/.test(piece)) {
      const bounds = [at]
      all.set(at, bounds)
      open.push(bounds)
    } else if (piece === ',') open.at(-1)?.push(at)
    else if (/^[)\]]$/.test(piece)) open.pop()?.push(at)
  }
  return all
}

/** Nobody writes more into one argument by accident; calls inside of calls would be read again and again. */
const MOST_PIECES = 200

/** What is cut off leaves a parenthesis open, so that the rest is neither a name nor clearly true. */
function argumentsOf(pieces: Pieces, bounds: readonly number[]): Pieces[] {
  return bounds.slice(1).map((end, n) => {
    const start = (bounds[n] ?? 0) + 1
    if (end - start <= MOST_PIECES) return pieces.slice(start, end)
    return [...pieces.slice(start, start + MOST_PIECES), '(']
  })
}
