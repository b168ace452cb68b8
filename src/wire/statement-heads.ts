import { SqlLexer } from './sql-lexer.ts'

/**
 * The first word of each statement of a text, in lower case. Where the answer depends on the server's
 * settings (a backslash in a text) or something does not end, there is none.
 */
export function statementHeads(text: string): string[] | undefined {
  const heads: string[] = []
  const lexer = new SqlLexer(text)
  let inside = false
  while (lexer.next()) {
    const { kind } = lexer
    if (kind === 'unfinished') return undefined
    if (kind === 'text' && text[lexer.start] !== '$' && lexer.value.includes('\\')) return undefined
    if (kind === 'space') continue
    const ends = kind === 'symbol' && text[lexer.start] === ';'
    if (!ends && !inside) heads.push(kind === 'word' ? lexer.value.toLowerCase() : '')
    inside = !ends
  }
  return heads
}
