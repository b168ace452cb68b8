import { SqlLexer } from '../wire/sql-lexer.ts'
import { StatementEnds } from '../wire/statement-ends.ts'

/**
 * A statement: words in lower case, quoted names behind `"`, texts behind `'`, texts with escapes of which
 * nobody has found out what they say behind `E'`, and everything else as it is.
 */
export type Pieces = readonly string[]

/** Before a piece whose escapes are still to be read. */
const UNICODE = 'u&'
const LAST_CODE_POINT = 0x10ffff

const ESCAPES = /^e'[\s\S]*['\\][\s\S]*'$/i
const QUOTES = /^e?'|'$|^\$[^$]*\$|\$[^$]*\$$/gi

/** Every statement of a text. */
export function* statementsOf(text: string): Generator<Pieces> {
  const lexer = new SqlLexer(text)
  const ends = new StatementEnds()
  let pieces: string[] = []
  while (lexer.next()) {
    const { kind, value, start } = lexer
    if (kind === 'space') continue
    const piece = pieceOf(kind, value)
    const isUnicode = kind !== 'word' && /^u&$/i.test(text.slice(Math.max(0, start - 2), start))
    if (kind !== 'symbol' && extendLast(pieces, piece, isUnicode)) continue
    if (!ends.take(piece)) pieces.push(piece)
    else {
      yield pieces.map(said)
      pieces = []
    }
  }
  yield pieces.map(said)
}

/** Adds to a piece what belongs to it, although the lexer of the wire takes it for another. */
function extendLast(pieces: string[], piece: string, isUnicode: boolean): boolean {
  const last = pieces.at(-1) ?? ''
  if (/^['"]/.test(piece) && isUnicode && pieces.at(-2) === 'u') {
    pieces.splice(-2, 2, UNICODE + piece)
  } else if (piece.startsWith("'") && last === 'uescape' && pieces.at(-2)?.startsWith(UNICODE)) {
    pieces.splice(-2, 2, withoutEscapes(pieces.at(-2) ?? '', piece.slice(1)))
  } else if (piece.startsWith("'") && /^(?:u&)?'/.test(last)) {
    // A text that goes on in the next line.
    pieces.splice(-1, 1, last + piece.slice(1))
  } else return false
  return true
}

function said(piece: string): string {
  return piece.startsWith(UNICODE) ? withoutEscapes(piece, '\\') : piece
}

/** What `U&"…"` and `U&'…'` say: `\0041`, `\+000041`, and the escape itself, doubled. */
function withoutEscapes(piece: string, character: string): string {
  const mark = `\\u${(character.charCodeAt(0) || 0).toString(16).padStart(4, '0')}`
  const escaped = new RegExp(`${mark}(?:${mark}|\\+([\\da-f]{6})|([\\da-f]{4}))`, 'gi')
  return piece.slice(UNICODE.length).replace(escaped, (_, six?: string, four?: string) => {
    const digits = six ?? four
    const code = digits ? Number.parseInt(digits, 16) : character.charCodeAt(0)
    return String.fromCodePoint(Math.min(code, LAST_CODE_POINT))
  })
}

function pieceOf(kind: SqlLexer['kind'], value: string): string {
  if (kind === 'word') return value.toLowerCase()
  if (kind === 'quoted') return `"${value.slice(1, -1).replaceAll('""', '"')}`
  if (kind !== 'text') return value
  if (ESCAPES.test(value)) return "E'"
  const said = value.replace(QUOTES, '')
  return value.startsWith('$') ? `'${said}` : `'${said.replaceAll("''", "'")}`
}

/** A name, with its quotes or without. */
export function nameOf(piece = ''): string {
  return piece.startsWith('"') ? piece.slice(1) : piece
}

/** The parts of a name that begins there: `database.schema.table`. */
export function namesAt(pieces: Pieces, at: number): string[] {
  const names = [nameOf(pieces[at])]
  for (let dot = at + 1; pieces[dot] === '.'; dot += 2) names.push(nameOf(pieces[dot + 1]))
  return names
}

/** Whether these come right behind each other. */
export function has(pieces: Pieces, ...row: string[]): boolean {
  return pieces.some((_, at) => row.every((piece, n) => pieces[at + n] === piece))
}

/** Where the parenthesis closes that opens here; behind the end, if it does not. */
export function closingOf(pieces: Pieces, open: number): number {
  let depth = 0
  for (let at = open; at < pieces.length; at += 1) {
    if (pieces[at] === '(') depth += 1
    if (pieces[at] === ')') depth -= 1
    if (depth === 0) return at
  }
  return pieces.length
}
