import { RecentlyUsed } from './recently-used.ts'
import { SqlLexer } from './sql-lexer.ts'

/**
 * How long statements behind this one may take and give something else: as long as its transaction or
 * longer. With `savepoint` what has changed may be as it was before.
 */
export type Change = 'savepoint' | 'transaction' | 'session'

const LONGEST_FIRST: readonly Change[] = ['session', 'transaction', 'savepoint']

/** Without one of these there is nothing to find. */
const SUSPECT =
  /search_path|set_config|pg_settings|authorization|pg_temp|\b(?:role|schema|names|reset|discard|temp|temporary|rollback)\b/i

const SETTINGS =
  /^(?:role|schema|names|search_path|session|authorization|session_authorization|all|temp|temporary)$/

const SCHEMA = /^"?pg_temp(?:_\d+)?"?$/

const MAX_TEXTS = 1_000
const MAX_CHARACTERS = 1_048_576

/** What this isolate has looked at. */
const known = new RecentlyUsed<{ change: Change | undefined }>(MAX_TEXTS, MAX_CHARACTERS)

/** A statement: words in lower case, everything else as it is, no comments. */
type Pieces = readonly string[]

/**
 * Whether later statements may take or give something else than before: the search path or the role has
 * changed, or a temporary table hides another. What functions and rules do unseen is not found; from
 * Postgres 18 on the server tells of the path itself.
 */
export function changesMeaning(text: string): Change | undefined {
  if (!SUSPECT.test(text)) return undefined
  const before = known.get(text)
  if (before) return before.change
  const change = longest(statementsOf(text).flatMap(changesOf))
  known.set(text, { change }, text.length)
  return change
}

function longest(changes: readonly Change[]): Change | undefined {
  return LONGEST_FIRST.find((change) => changes.includes(change))
}

function statementsOf(text: string): Pieces[] {
  const lexer = new SqlLexer(text)
  const all: string[][] = [[]]
  while (lexer.next()) {
    const { kind, value } = lexer
    if (kind === 'space') continue
    if (value === ';') all.push([])
    else all.at(-1)?.push(kind === 'word' ? value.toLowerCase() : value)
  }
  return all
}

function changesOf(pieces: Pieces): Change[] {
  const [head, second, third] = pieces
  switch (head) {
    case 'set': {
      const at = second === 'local' || second === 'session' ? 2 : 1
      const lasts = second === 'local' ? 'transaction' : 'session'
      return isSetting(pieces[at]) && pieces[at + 1] !== '.' ? [lasts] : []
    }
    case 'reset':
    case 'discard':
      return isSetting(second) ? ['session'] : []
    case 'rollback':
      return second === 'to' || third === 'to' ? ['savepoint'] : []
    // Its body is a text, of which nobody here knows more than that it has one of the words.
    case 'do':
      return ['session']
    case 'update':
      return pieces.some((piece) => /^"?pg_settings"?$/.test(piece)) ? ['session'] : calls(pieces)
    default:
      return [...temporary(pieces), ...calls(pieces)]
  }
}

function isSetting(name = ''): boolean {
  return SETTINGS.test(name.replace(/^"|"$/g, '').toLowerCase())
}

function temporary(pieces: Pieces): Change[] {
  const makes = pieces.some((piece, at) => {
    if (pieces[at + 1] === '.') return SCHEMA.test(piece)
    if (piece !== 'temp' && piece !== 'temporary') return false
    const isScoped = /^(?:local|global)$/.test(pieces[at - 1] ?? '')
    const before = isScoped ? at - 1 : at
    const [one, two] = [pieces[before - 2], pieces[before - 1]]
    if (two === 'into') return one !== 'insert' && one !== 'merge'
    return two === 'create' || (one === 'or' && two === 'replace')
  })
  if (!makes) return []
  const goes = pieces.some((piece, at) => piece === 'drop' && pieces[at - 1] === 'commit')
  return [goes ? 'transaction' : 'session']
}

/** Calls of `set_config` with a name that counts, or that is not to be seen. */
function calls(pieces: Pieces): Change[] {
  const changes: Change[] = []
  /** For each open parenthesis, whether it is one of these calls'. */
  const open: boolean[] = []
  pieces.forEach((piece, at) => {
    if (piece === '(')
      open.push(/^"?set_config"?$/.test(pieces[at - 1] ?? '') && counts(pieces, at + 1))
    if (piece !== ')' || !open.pop()) return
    const isLocal = pieces[at - 1] === 'true' && /^[,>]$/.test(pieces[at - 2] ?? '')
    changes.push(isLocal ? 'transaction' : 'session')
  })
  return open.includes(true) ? ['session'] : changes
}

function counts(pieces: Pieces, at: number): boolean {
  const [name = '', next = ''] = pieces.slice(at, at + 2)
  const isLiteral = name.startsWith("'") && (next === ',' || next === ':')
  return !isLiteral || isSetting(name.slice(1, -1))
}
