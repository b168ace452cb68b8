import { statementText } from './messages.ts'
import { SqlLexer } from './sql-lexer.ts'

/** Words with which statements begin that begin, end or shape a transaction. */
const HEADS = /^(begin|start|commit|end|rollback|abort|prepare|set)$/

const SPACE = 0x20
const SLASH = 0x2f
const DASH = 0x2d
const SEMICOLON = 0x3b

/** How these words begin. */
const BEGINNINGS: ReadonlySet<string> = new Set(
  ['begin', 'start', 'commit', 'end', 'rollback', 'abort', 'prepare', 'set'].map((word) =>
    word.slice(0, 3),
  ),
)

/** Nearly all statements show their first word within so many bytes, and those that count end here. */
const GLANCE = 200

/**
 * The words of a statement that may begin, end or shape a transaction, in lower case, with one space between
 * and without comments, empty statements in front and a last semicolon; `undefined` for every other statement.
 * Where more statements follow, the words end with a semicolon and what comes next.
 */
export function controlWords(statement: Uint8Array): string | undefined {
  if (!mayControl(statement)) return undefined
  if (statement.length <= GLANCE) return wordsOf(statementText(statement))
  const glance = statementText(statement, GLANCE)
  const head = headOf(glance)
  // What ends with the glance may go on behind it.
  const isWhole = head !== undefined && !glance.toLowerCase().endsWith(head)
  if (isWhole && !HEADS.test(head)) return undefined
  return wordsOf(statementText(statement))
}

/** Looks at the first letters, without a text of them: nearly every statement is no such one. */
function mayControl(statement: Uint8Array): boolean {
  let at = 5
  // A Parse has a name before its text, which is empty where anything is to be found.
  while (at < statement.length && (statement[at] ?? 0) <= SPACE) at += 1
  const [first = 0, second = 0, third = 0] = statement.subarray(at, at + 3)
  if (first === SLASH || first === DASH || first === SEMICOLON || first >= 0x80) return true
  return BEGINNINGS.has(String.fromCharCode(first | 32, second | 32, third | 32))
}

/** The same of a text. */
export function wordsOf(text: string): string | undefined {
  const words: string[] = []
  const lexer = new SqlLexer(text)
  while (lexer.next()) {
    if (lexer.kind === 'space') continue
    // The server passes over empty statements.
    if (words.length === 0 && lexer.value === ';') continue
    const word = lexer.kind === 'word' ? lexer.value.toLowerCase() : lexer.value
    if (words.length === 0 && !HEADS.test(word)) return undefined
    if (words.at(-1) === ';' && word === ';') continue
    words.push(word)
  }
  if (words.at(-1) === ';') words.pop()
  return words.length === 0 ? undefined : words.join(' ')
}

/** The first word of a text, in lower case, behind empty statements; nothing where there is none so far. */
export function headOf(text: string): string | undefined {
  const lexer = new SqlLexer(text)
  while (lexer.next()) {
    if (lexer.kind !== 'space' && lexer.value !== ';') return lexer.value.toLowerCase()
  }
  return undefined
}
