const BLOCKS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

/** The last values as one line of bars, from zero to the largest of them; a gap where there is none. */
export function sparkline(values: readonly (number | null)[], columns: number): string {
  const shown = values.slice(-columns)
  const largest = Math.max(...shown.map((value) => value ?? 0), 0)
  const bars = shown.map((value) => {
    if (value === null) return ' '
    // Nothing is a line too: one sees that somebody looked.
    return BLOCKS[largest > 0 ? Math.max(1, Math.round((value / largest) * 8)) : 1] ?? ' '
  })
  return bars.join('').padStart(columns)
}

/** A line across a chart. */
export interface LimitLine {
  at: number
  label: string
}

/** One row of a chart: what stands in front of it, and its cells. */
export interface ChartRow {
  label: string
  cells: ChartCell[]
}

/** What a cell shows, and on which side of the limits its row is: 0 below all of them. */
export interface ChartCell {
  character: string
  kind: 'bar' | 'limit' | 'empty'
  over: number
}

/** Bars of connections from the right, with a line at each limit, from `top` down to nothing. */
export function limitChart(
  values: readonly (number | null)[],
  limits: readonly LimitLine[],
  { top, columns, rows }: { top: number; columns: number; rows: number },
): ChartRow[] {
  const shown = values.slice(-columns)
  const perRow = Math.max(top, 1) / rows
  const padding: null[] = new Array(columns - shown.length).fill(null)
  return Array.from({ length: rows }, (_, n) => {
    const floor = (rows - 1 - n) * perRow
    const isInRow = ({ at }: LimitLine): boolean => at > floor && at <= floor + perRow
    const line = limits.find(isInRow)
    const cells = [...padding, ...shown].map((value): ChartCell => {
      const over = limits.filter(({ at }) => (value ?? 0) > at).length
      const filled = Math.min(Math.max(((value ?? 0) - floor) / perRow, 0), 1)
      // One connection of a thousand is still seen.
      const least = n === rows - 1 && (value ?? 0) > 0 ? 1 : 0
      const block = Math.max(Math.round(filled * 8), least)
      if (block > 0) return { character: BLOCKS[block] ?? ' ', kind: 'bar', over }
      return line
        ? { character: '┄', kind: 'limit', over: limits.indexOf(line) + 1 }
        : { character: ' ', kind: 'empty', over: 0 }
    })
    const label = line?.label ?? (n === 0 ? `${top}` : '')
    return { label, cells }
  })
}
