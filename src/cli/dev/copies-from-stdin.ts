import { SqlLexer } from '../../wire/sql-lexer.ts'

/**
 * Whether SQL holds what psql alone understands: COPY with its rows behind the statement. The server would wait for
 * them for ever. In a text, a name or a comment it is nothing of the kind.
 */
export function copiesFromStdin(text: string): boolean {
  const lexer = new SqlLexer(text)
  let first = ''
  let before = ''
  while (lexer.next()) {
    if (lexer.kind === 'space') continue
    const piece = lexer.kind === 'word' ? lexer.value.toLowerCase() : lexer.value
    if (first === 'copy' && before === 'from' && piece === 'stdin') return true
    const isEnd = lexer.kind === 'symbol' && piece === ';'
    first = isEnd ? '' : first || piece
    before = piece
  }
  return false
}
