/** Everything in SQL that can hold a semicolon which separates nothing; then the semicolon, or any character. */
const TOKENS =
  /'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"|--[^\n]*|\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|\/\*|\*\/|;|[^'"$;/*-]+|./gsy

/**
 * Whether a text is certainly one statement, so that it can be sent by the extended protocol. Where the
 * answer depends on the server's settings (a backslash in a text) or on the reading of something unusual,
 * it is `false`.
 */
export function isSingleStatement(text: string): boolean {
  let ended = false
  TOKENS.lastIndex = 0
  for (let match = TOKENS.exec(text); match; match = TOKENS.exec(text)) {
    const [token, tag = ''] = match
    if (token.startsWith('--')) continue
    if (token === ';') {
      ended = true
    } else if (token === '/*') {
      const end = endOfComment(text, TOKENS.lastIndex)
      if (end === undefined) return false
      TOKENS.lastIndex = end
    } else if (ended && token.trim() !== '') {
      return false
    } else if (token.startsWith('$') && token.length > 1) {
      const end = text.indexOf(`$${tag}$`, TOKENS.lastIndex)
      if (end < 0) return false
      TOKENS.lastIndex = end + token.length
    } else if (token === "'" || token === '"' || (token.startsWith("'") && token.includes('\\'))) {
      return false
    }
  }
  return true
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
