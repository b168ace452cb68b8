import { SqlLexer } from '../wire/sql-lexer.ts'

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
  /** Whether it names another role, however long for. */
  identity: boolean
}

export const NOTHING_FOUND: Findings = { state: undefined, identity: false }

/** Without one of these there is nothing to find. */
const SUSPECT = /set|discard|listen|prepare|execute|deallocate|load|temp|hold|advisory/i

const ADVISORY = /^pg_(?:(?:try_)?advisory_lock(?:_shared)?|advisory_unlock(?:_shared|_all)?)$/

/** Statements that only name functions. */
const DEFINES = /^(?:create|drop|alter|grant|revoke|comment)$/

const TEMPORARY = /^temp(?:orary)?$/

const FALSE = /^(?:false|'(?:f|fa|fal|fals|false|n|no|of|off|0))$/i

/** A statement: words in lower case, quoted names behind `"`, texts behind `'`, everything else as it is. */
type Pieces = readonly string[]

/**
 * Reads every statement of a text for what lives in a session: behind a transaction-mode pooler that is
 * somebody else's a moment later. Bodies of functions and of `DO` are texts, which are not looked into.
 */
export function findSessionState(text: string): Findings {
  let state: SessionState | undefined
  let identity = false
  for (const pieces of statementsOf(text)) {
    state ??= stateOf(pieces) ?? stateOfCalls(pieces)
    identity ||= changesRole(pieces)
  }
  return { state, identity }
}

function* statementsOf(text: string): Generator<Pieces> {
  const lexer = new SqlLexer(text)
  let pieces: string[] = []
  let depth = 0
  while (lexer.next()) {
    const { kind, value } = lexer
    if (kind === 'space') continue
    if (value === '(') depth += 1
    if (value === ')') depth -= 1
    // A rule holds its statements in parentheses.
    if (value !== ';' || depth > 0) pieces.push(pieceOf(kind, value))
    else {
      yield pieces
      pieces = []
    }
  }
  yield pieces
}

function pieceOf(kind: SqlLexer['kind'], value: string): string {
  if (kind === 'word') return value.toLowerCase()
  if (kind === 'quoted') return `"${value.slice(1, -1).replaceAll('""', '"')}`
  if (kind !== 'text') return value
  return `'${value.replace(/^[eE]?'|'$|^(\$[^$]*\$)|(\$[^$]*\$)$/g, '')}`
}

function stateOf(pieces: Pieces): SessionState | undefined {
  const [head, second, third] = pieces
  switch (head) {
    case 'set':
      if (second === 'session' && third === 'characteristics') return 'characteristics'
      return /^(?:local|transaction|constraints)$/.test(second ?? '') ? undefined : 'setting'
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
      return has(pieces, 'with', 'hold') ? 'held-cursor' : undefined
    case 'create':
      return createsTemporary(pieces) ? 'temporary-object' : undefined
    default:
      return selectsIntoTemporary(pieces) ? 'temporary-object' : undefined
  }
}

/** Only a table can go with its transaction. */
function createsTemporary(pieces: Pieces): boolean {
  const [, second = '', third = '', fourth = ''] = pieces
  const replaces = second === 'or' && third === 'replace'
  const kind = replaces ? fourth : /^(?:global|local)$/.test(second) ? third : second
  const isTemporary = TEMPORARY.test(kind) || createsIn(pieces, 'pg_temp')
  return isTemporary && !has(pieces, 'on', 'commit', 'drop')
}

/** `create table if not exists pg_temp.t`: the schema stands before the first parenthesis. */
function createsIn(pieces: Pieces, schema: string): boolean {
  const at = pieces.findIndex((piece, n) => piece === '(' || (n > 0 && piece === '.'))
  return pieces[at] === '.' && nameOf(pieces[at - 1]) === schema
}

function selectsIntoTemporary(pieces: Pieces): boolean {
  return pieces.some((piece, at) => {
    const before = pieces[at - 1] ?? ''
    const after = pieces[at + 1] ?? ''
    return piece === 'into' && TEMPORARY.test(after) && !/^(?:insert|merge)$/.test(before)
  })
}

/** Whether these come right behind each other. */
function has(pieces: Pieces, ...row: string[]): boolean {
  return pieces.some((_, at) => row.every((piece, n) => pieces[at + n] === piece))
}

function stateOfCalls(pieces: Pieces): SessionState | undefined {
  if (DEFINES.test(pieces[0] ?? '') && !/^(?:table|materialized|temp)/.test(pieces[1] ?? '')) {
    return undefined
  }
  for (let at = 0; at < pieces.length - 1; at += 1) {
    const name = nameOf(pieces[at])
    if (pieces[at + 1] !== '(' || !isServersOwn(pieces, at)) continue
    if (ADVISORY.test(name)) return 'advisory-lock'
    if (name === 'set_config' && staysSet(argumentsOf(pieces, at + 1))) return 'setting'
  }
  return undefined
}

/** A function of the same name in another schema is another function. */
function isServersOwn(pieces: Pieces, at: number): boolean {
  return pieces[at - 1] !== '.' || nameOf(pieces[at - 2]) === 'pg_catalog'
}

/** A name, with its quotes or without. */
function nameOf(piece = ''): string {
  return piece.startsWith('"') ? piece.slice(1) : piece
}

/** What is between the parentheses, by commas. */
function argumentsOf(pieces: Pieces, open: number): string[][] {
  const all: string[][] = [[]]
  let depth = 0
  for (const piece of pieces.slice(open)) {
    if (piece === '(') depth += 1
    if (piece === ')') depth -= 1
    if (depth === 0) break
    if (piece === ',' && depth === 1) all.push([])
    else if (piece !== '(' || depth > 1) all.at(-1)?.push(piece)
  }
  return all
}

/** `is_local` is false; a value that is bound is not seen here. */
function staysSet([, , third = []]: string[][]): boolean {
  const [value = '', ...cast] = third
  return FALSE.test(value) && (cast.length === 0 || cast[0] === ':')
}

function changesRole(pieces: Pieces): boolean {
  const [head, second, ...rest] = pieces
  if (head === 'reset') return /^(?:role|session|all)$/.test(second ?? '')
  if (head === 'set') {
    const named = /^(?:local|session)$/.test(second ?? '') ? rest : [second, ...rest]
    return /^(?:role|authorization|session authorization)\b/.test(named.slice(0, 2).join(' '))
  }
  return pieces.some((piece, at) => {
    if (nameOf(piece) !== 'set_config' || pieces[at + 1] !== '(') return false
    const [[setting = ''] = []] = argumentsOf(pieces, at + 1)
    return /^'(?:role|session_authorization|request\.jwt\..*)$/i.test(setting)
  })
}
