import { SqlLexer } from '../../wire/sql-lexer.ts'
import { plainText } from '../plain-text.ts'

/** Enough to recognise a statement. */
const MAX_LENGTH = 200

/**
 * A statement without what was asked of it: literals become `?`, comments go, and so does what was cut off in the
 * middle of either. Parameters are `$1` already.
 *
 * @example
 * ```ts
 * statementShape("select * from books where isbn = '978' and n > 12.5") // 'select * from books where isbn = ? and n > ?'
 * ```
 */
export function statementShape(query: string): string {
  const lexer = new SqlLexer(query)
  let shape = ''
  let before: Place = 'elsewhere'
  while (shape.length <= MAX_LENGTH && lexer.next()) {
    const { kind, value } = lexer
    const place = placeOf(before, kind, value)
    // A number is several symbols to the lexer; the first of them stands for all.
    if (place !== 'number') shape += shapeOf(kind, value)
    else if (before !== 'number') shape += '?'
    before = place
  }
  return plainText(shape.trim(), MAX_LENGTH)
}

type Place = 'number' | 'parameter' | 'elsewhere'

/** Where a piece of SQL stands, given what is in front of it: `$` begins a parameter, a digit a number. */
function placeOf(before: Place, kind: SqlLexer['kind'], value: string): Place {
  const isDigit = kind === 'symbol' && /[0-9]/.test(value)
  if (value === '$') return 'parameter'
  if (before === 'parameter' && isDigit) return 'parameter'
  // `12.5`, and the `e3` and `x1F` behind it.
  if (before === 'number' && (isDigit || value === '.' || kind === 'word')) return 'number'
  return isDigit ? 'number' : 'elsewhere'
}

function shapeOf(kind: SqlLexer['kind'], value: string): string {
  if (kind === 'space') return ' '
  if (kind === 'text' || kind === 'unfinished') return '?'
  return value
}
