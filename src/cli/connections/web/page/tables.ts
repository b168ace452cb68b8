/** A column: its name, and what is in it. */
export type Column<Row> = [name: string, cell: (row: Row) => string | number]

/** Fills a table. Texts stay texts: nothing of a server is ever read as HTML. */
export function fillTable<Row>(
  table: HTMLTableElement,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): void {
  const head = document.createElement('tr')
  for (const [name, cell] of columns) {
    const heading = cellOf('th', name)
    heading.setAttribute('scope', 'col')
    if (rows[0] && typeof cell(rows[0]) === 'number') heading.className = 'number'
    head.append(heading)
  }
  const body = rows.map((row) => {
    const line = document.createElement('tr')
    line.append(...columns.map(([, cell]) => cellOf('td', cell(row))))
    return line
  })
  if (rows.length === 0) {
    const nothing = cellOf('td', 'None')
    nothing.setAttribute('colspan', `${columns.length}`)
    const line = document.createElement('tr')
    line.append(nothing)
    body.push(line)
  }
  const parts = [document.createElement('thead'), document.createElement('tbody')] as const
  parts[0].append(head)
  parts[1].append(...body)
  table.replaceChildren(...parts)
}

function cellOf(kind: 'th' | 'td', content: string | number): HTMLElement {
  const cell = document.createElement(kind)
  cell.textContent = `${content}`
  if (typeof content === 'number') cell.className = 'number'
  return cell
}
