// Array literals as array_out writes and array_in reads them:
// https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO

/** An element as text, a null, or a row. */
export type Item = string | null | Item[]

/** Quotes what array_out quotes: nothing else, so that unquoted elements are seen too. */
export function writeLiteral(items: readonly Item[]): string {
  const written = items.map((item) => {
    if (item === null) return 'NULL'
    if (Array.isArray(item)) return writeLiteral(item)
    const plain = item !== '' && !/[{}",\\\s]/.test(item) && !/^null$/i.test(item)
    return plain ? item : `"${item.replace(/["\\]/g, '\\$&')}"`
  })
  return `{${written.join(',')}}`
}

/** Reads one literal and throws where array_in would. */
export function readLiteral(literal: string, delimiter = ','): Item[] {
  let at = 0
  const expect = (character: string): void => {
    if (literal[at] !== character) throw new Error(`Expected ${character} at ${at} of ${literal}`)
    at += 1
  }
  const quoted = (): string => {
    let found = ''
    for (expect('"'); literal[at] !== '"'; at += 1) {
      if (literal[at] === '\\') at += 1
      if (at >= literal.length) throw new Error(`No end of ${literal}`)
      found += literal[at]
    }
    expect('"')
    return found
  }
  const bare = (): string | null => {
    const start = at
    while (at < literal.length && !`{}"\\${delimiter}`.includes(literal[at] ?? '')) at += 1
    const found = literal.slice(start, at).trim()
    if (found === '') throw new Error(`Nothing at ${start} of ${literal}`)
    return /^null$/i.test(found) ? null : found
  }
  const row = (): Item[] => {
    const items: Item[] = []
    expect('{')
    while (literal[at] !== '}') {
      if (items.length > 0) expect(delimiter)
      if (literal[at] === '{') items.push(row())
      else items.push(literal[at] === '"' ? quoted() : bare())
    }
    expect('}')
    return items
  }
  const items = row()
  if (at !== literal.length) throw new Error(`Something behind the end of ${literal}`)
  return items
}
