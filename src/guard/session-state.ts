import { advisoryLock, staysSet, updatesSettings } from './function-calls.ts'
import { changedIdentity, type IdentityChange } from './identity-change.ts'
import { namedSetting } from './named-setting.ts'
import { closingOf, has, namesAt, type Pieces, statementsOf } from './statement-pieces.ts'

/** What a statement leaves behind in the session, or needs to find there. */
export type SessionState =
  | 'setting'
  | 'characteristics'
  | 'reset'
  | 'listen'
  | 'advisory-lock'
  | 'prepared-statement'
  | 'temporary-object'
  | 'held-cursor'
  | 'library'

/** Whether there may be something to find; says so at a glance. */
export function isSuspect(text: string): boolean {
  return SUSPECT.test(text)
}

/** What a text does that ends later than its transaction, or changes for whom it runs. */
export interface Findings {
  /** The first of its kind, if there is one. */
  state: SessionState | undefined
  /** Whether it names another role or other claims, however long for. */
  identity: IdentityChange | undefined
}

/** Without one of these there is nothing to find. */
const SUSPECT = /set|discard|listen|prepare|execute|deallocate|load|temp|hold|advisory|u&["']/i

const TEMPORARY = /^temp(?:orary)?$/
const TEMPORARY_SCHEMA = /^pg_temp(?:_\d+)?$/

/** What stands between CREATE and the name of what it makes. */
const BEFORE_NAME =
  /^(?:or|replace|global|local|temp|temporary|unlogged|recursive|table|view|materialized|sequence|function|procedure|aggregate|operator|type|domain|collation|conversion|class|family|statistics|text|search|configuration|dictionary|parser|template|foreign|if|not|exists)$/

const FALSE = /^(?:false|off|0|'(?:f|fa|fal|fals|false|n|no|of|off|0))$/i

/**
 * Reads every statement of a text for what lives in a session: behind a transaction-mode pooler that is
 * somebody else's a moment later. Bodies of functions and of `DO` are not looked into.
 */
export function findSessionState(text: string): Findings {
  let state: SessionState | undefined
  let identity: IdentityChange | undefined
  for (const statement of statementsOf(text)) {
    const pieces = executed(statement)
    state ??= stateOf(pieces) ?? stateOfCalls(pieces)
    identity ??= changedIdentity(pieces)
  }
  return { state, identity }
}

/** What an EXPLAIN runs: with ANALYZE all of it, otherwise nothing, for which it may need the session. */
function executed(pieces: Pieces): Pieces {
  if (pieces[0] !== 'explain') return pieces
  const close = pieces[1] === '(' ? closingOf(pieces, 1) : 0
  const isOption = (piece: string): boolean => /^(?:analy[sz]e|verbose)$/.test(piece)
  const inner = pieces.findIndex((piece, at) => at > close && !(close === 0 && isOption(piece)))
  const options = pieces.slice(1, Math.max(inner, 0))
  const analyzes = options.some(
    (piece, at) => /^analy[sz]e$/.test(piece) && !FALSE.test(options[at + 1] ?? ''),
  )
  const explained = inner < 0 ? [] : pieces.slice(inner)
  // Of a cursor the query is run, and nothing is declared.
  if (explained[0] === 'declare') explained.splice(0, explained.indexOf('for') + 1)
  // Of a materialized view too, and what that sets is not undone, as it is where one is made.
  if (explained[1] === 'materialized') explained.splice(0, explained.indexOf('as') + 1)
  return analyzes || explained[0] === 'execute' ? explained : []
}

function stateOf(pieces: Pieces): SessionState | undefined {
  const [head, second] = pieces
  switch (head) {
    case 'set':
      return stateOfSet(pieces)
    case 'reset':
    case 'discard':
      return 'reset'
    case 'listen':
    case 'unlisten':
      return 'listen'
    case 'prepare':
      return second === 'transaction' ? undefined : 'prepared-statement'
    case 'execute':
    case 'deallocate':
      return 'prepared-statement'
    case 'load':
      return 'library'
    case 'declare':
      return has(pieces.slice(0, pieces.indexOf('for')), 'with', 'hold') ? 'held-cursor' : undefined
    case 'create':
      if (createsTemporary(pieces)) return 'temporary-object'
      return has(pieces, 'as', 'execute') ? 'prepared-statement' : undefined
    default:
      return selectsIntoTemporary(pieces) ? 'temporary-object' : undefined
  }
}

function stateOfSet(pieces: Pieces): SessionState | undefined {
  const { name, isLocal } = namedSetting(pieces)
  if (isLocal || name === 'transaction' || name === 'constraints') return undefined
  return name === 'session_characteristics' ? 'characteristics' : 'setting'
}

/** Only a table can go with its transaction. */
function createsTemporary(pieces: Pieces): boolean {
  const [, second = '', third = '', fourth = ''] = pieces
  const replaces = second === 'or' && third === 'replace'
  const kind = replaces ? fourth : /^(?:global|local)$/.test(second) ? third : second
  const name = pieces.findIndex((piece, at) => at > 0 && !BEFORE_NAME.test(piece))
  const isTemporary = TEMPORARY.test(kind) || isTemporarySchema(pieces, name)
  return isTemporary && !has(pieces, 'on', 'commit', 'drop')
}

/** The name of the database may come before it. */
function isTemporarySchema(pieces: Pieces, at: number): boolean {
  return TEMPORARY_SCHEMA.test(namesAt(pieces, at).at(-2) ?? '')
}

/** `select … into [local | global] [temporary] [table] [pg_temp.]t`. */
function selectsIntoTemporary(pieces: Pieces): boolean {
  return pieces.some((piece, at) => {
    if (piece !== 'into' || /^(?:insert|merge)$/.test(pieces[at - 1] ?? '')) return false
    const next = /^(?:global|local)$/.test(pieces[at + 1] ?? '') ? at + 2 : at + 1
    if (TEMPORARY.test(pieces[next] ?? '')) return !/^import$/.test(pieces[0] ?? '')
    return isTemporarySchema(pieces, pieces[next] === 'table' ? next + 1 : next)
  })
}

function stateOfCalls(pieces: Pieces): SessionState | undefined {
  if (advisoryLock(pieces)) return 'advisory-lock'
  return staysSet(pieces) || updatesSettings(pieces) ? 'setting' : undefined
}
