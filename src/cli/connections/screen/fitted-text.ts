import stringWidth from 'string-width'

const graphemes = new Intl.Segmenter()

/** A text that takes exactly so many columns of a terminal: cut with `…`, or filled with spaces. */
export function fitted(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const width = stringWidth(text)
  if (width > columns) return cut(text, columns)
  const space = ' '.repeat(columns - width)
  return align === 'left' ? text + space : space + text
}

function cut(text: string, columns: number): string {
  if (columns <= 0) return ''
  let kept = ''
  let width = 0
  for (const { segment } of graphemes.segment(text)) {
    const wide = stringWidth(segment)
    if (width + wide > columns - 1) break
    kept += segment
    width += wide
  }
  return `${kept}…${' '.repeat(columns - 1 - width)}`
}
