/** What a piece of SQL is, as far as anybody here wants to know. */
export type TokenKind = 'space' | 'word' | 'quoted' | 'text' | 'symbol' | 'unfinished'

const SPACE = /[ \t\n\r\f\v]+/y
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y
const TAG = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y
const LINE_END = /[\n\r]/g
const COMMENT_MARK = /\/\*|\*\//g
const ESCAPE_OR_QUOTE = /\\|'/g

/**
 * Splits SQL as the server's own lexer does: texts with and without escapes, dollar quotes, quoted names,
 * and comments, which nest. Backslashes in ordinary texts mean nothing, as `standard_conforming_strings`
 * has it since Postgres 9.1.
 *
 * @see https://www.postgresql.org/docs/current/sql-syntax-lexical.html
 */
export class SqlLexer {
  kind: TokenKind = 'space'
  start = 0
  end = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The piece of text at hand. */
  get value(): string {
    return this.#text.slice(this.start, this.end)
  }

  /** Goes on to the next piece; `false` at the end. */
  next(): boolean {
    const text = this.#text
    this.start = this.end
    if (this.start >= text.length) return false
    const [kind, end] = this.#read(text[this.start] ?? '', this.start)
    this.kind = end < 0 ? 'unfinished' : kind
    this.end = end < 0 ? text.length : end
    return true
  }

  #read(first: string, at: number): [TokenKind, number] {
    const text = this.#text
    const second = text[at + 1]
    if (first === "'") return ['text', endOfQuoted(text, at + 1, "'")]
    if (first === '"') return ['quoted', endOfQuoted(text, at + 1, '"')]
    if ((first === 'e' || first === 'E') && second === "'")
      return ['text', endOfEscaped(text, at + 2)]
    if (first === '-' && second === '-') return ['space', endOfLine(text, at)]
    if (first === '/' && second === '*') return ['space', endOfComment(text, at + 2)]
    if (first === '$') return this.#readDollar(at)
    const space = match(SPACE, text, at)
    if (space > 0) return ['space', space]
    const word = match(WORD, text, at)
    return word > 0 ? ['word', word] : ['symbol', at + 1]
  }

  #readDollar(at: number): [TokenKind, number] {
    const text = this.#text
    const tag = text.slice(at, Math.max(at, match(TAG, text, at)))
    if (!tag) return ['symbol', at + 1]
    const end = text.indexOf(tag, at + tag.length)
    return ['text', end < 0 ? -1 : end + tag.length]
  }
}

/** Where a match ends that begins here; -1 without one. */
function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : -1
}

/** A quote that is doubled stands for itself. */
function endOfQuoted(text: string, from: number, quote: string): number {
  let at = text.indexOf(quote, from)
  while (at >= 0 && text[at + 1] === quote) at = text.indexOf(quote, at + 2)
  return at < 0 ? -1 : at + 1
}

/** A text with escapes keeps them in its parts on further lines. */
function endOfEscaped(text: string, from: number): number {
  ESCAPE_OR_QUOTE.lastIndex = from
  while (ESCAPE_OR_QUOTE.test(text)) {
    const at = ESCAPE_OR_QUOTE.lastIndex
    const isEnd = text[at - 1] === "'" && text[at] !== "'"
    if (!isEnd) {
      ESCAPE_OR_QUOTE.lastIndex = at + 1
      continue
    }
    const further = nextPart(text, at)
    if (further < 0) return at
    ESCAPE_OR_QUOTE.lastIndex = further
  }
  return -1
}

/**
 * Where a text goes on behind blanks and comments with a line end among them; -1 where it does not. A loop,
 * because an expression for this goes back over comments in every way that they can be read.
 */
function nextPart(text: string, from: number): number {
  let lines = false
  for (let at = from; ; ) {
    const isComment = text.startsWith('--', at)
    const end = isComment ? endOfLine(text, at) : match(SPACE, text, at)
    if (end < 0) return lines && text[at] === "'" ? at + 1 : -1
    lines ||= /[\n\r]/.test(text.slice(isComment ? end - 1 : at, end))
    at = end
  }
}

function endOfLine(text: string, from: number): number {
  LINE_END.lastIndex = from
  return LINE_END.test(text) ? LINE_END.lastIndex : text.length
}

function endOfComment(text: string, from: number): number {
  COMMENT_MARK.lastIndex = from
  let depth = 1
  while (COMMENT_MARK.test(text)) {
    depth += text[COMMENT_MARK.lastIndex - 1] === '*' ? 1 : -1
    if (depth === 0) return COMMENT_MARK.lastIndex
  }
  return -1
}
