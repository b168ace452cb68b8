/** Everything in SQL that can hold a semicolon which separates nothing; then the semicolon, or any character. */
const TOKENS =
  /'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"|--[^\n]*|\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|\/\*|\*\/|;|[^'"$;/*-]+|./gsy

/**
 * The first word of each statement of a text, in lower case. Where the answer depends on the server's
 * settings (a backslash in a text) or on the reading of something unusual, there is none.
 */
export function statementHeads(text: string): string[] | undefined {
  const heads: string[] = []
  let inside = false
  TOKENS.lastIndex = 0
  for (let match = TOKENS.exec(text); match; match = TOKENS.exec(text)) {
    const [token, tag = ''] = match
    const end = endOf(token, tag, text, TOKENS.lastIndex)
    if (end === undefined) return undefined
    TOKENS.lastIndex = end
    if (token === ';') inside = false
    else if (!inside && !isSpace(token)) {
      heads.push(/^\s*([a-z]+)/i.exec(token)?.[1]?.toLowerCase() ?? '')
      inside = true
    }
  }
  return heads
}

/** Where a token ends, what it opens included; `undefined` where that is not certain. */
function endOf(token: string, tag: string, text: string, at: number): number | undefined {
  if (token === '/*') return endOfComment(text, at)
  if (token === "'" || token === '"') return undefined
  if (token.startsWith("'") && token.includes('\\')) return undefined
  if (!token.startsWith('$') || token.length === 1) return at
  const end = text.indexOf(`$${tag}$`, at)
  return end < 0 ? undefined : end + token.length
}

function isSpace(token: string): boolean {
  return token === '/*' || token.startsWith('--') || token.trim() === ''
}

/** Comments nest. */
function endOfComment(text: string, from: number): number | undefined {
  const marks = /\/\*|\*\//g
  marks.lastIndex = from
  let depth = 1
  for (let match = marks.exec(text); match; match = marks.exec(text)) {
    depth += match[0] === '/*' ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  return undefined
}
