import { SqlLexer } from './sql-lexer.ts'
import { StatementEnds } from './statement-ends.ts'

/**
 * The first word of each statement of a text, in lower case. Where the answer depends on the server's
 * settings (a backslash in a text) or something does not end, there is none, unless it is a COPY.
 */
export function statementHeads(text: string): string[] | undefined {
  const heads: string[] = []
  const lexer = new SqlLexer(text)
  const statements = new StatementEnds()
  let inside = false
  let certain = true
  while (lexer.next()) {
    const { kind } = lexer
    if (kind === 'unfinished') return undefined
    if (kind === 'text' && text[lexer.start] !== '$' && lexer.value.includes('\\')) certain = false
    if (kind === 'space') continue
    const piece = kind === 'word' ? lexer.value.toLowerCase() : lexer.value
    const ends = statements.take(piece)
    if (!ends && !inside) heads.push(kind === 'word' ? piece : '')
    inside = !ends
  }
  return certain || (heads.length === 1 && heads[0] === 'copy') ? heads : undefined
}

const VALUE = /\$\d/

/** Whether a text has a place for a value, as `$1`. */
export function namesValues(text: string): boolean {
  if (!VALUE.test(text)) return false
  const lexer = new SqlLexer(text)
  while (lexer.next()) {
    const { kind, start } = lexer
    if (kind === 'symbol' && text[start] === '$' && VALUE.test(text.slice(start, start + 2)))
      return true
  }
  return false
}
