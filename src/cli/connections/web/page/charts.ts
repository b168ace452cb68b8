import uPlot from 'uplot'
import type { HistoryPoint } from '../../history.ts'

/** One line of a chart, in a colour for light and one for dark. */
interface Line {
  label: string
  light: string
  dark: string
  value: (point: HistoryPoint) => number | null
  dash?: number[]
}

/** Of the drawing, in pixels; the legend stands below it. */
const HEIGHT = 190

/** A chart that is drawn anew where its size or the colours change. */
export class LiveChart {
  readonly #place: HTMLElement
  readonly #lines: readonly Line[]
  #points: readonly HistoryPoint[] = []
  #chart: uPlot | undefined

  constructor(place: HTMLElement, lines: readonly Line[]) {
    this.#place = place
    this.#lines = lines
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#renew())
    new ResizeObserver(() => this.#resize()).observe(place)
  }

  show(points: readonly HistoryPoint[]): void {
    this.#points = points
    if (this.#chart === undefined) this.#renew()
    else this.#chart.setData(this.#data())
  }

  #data(): uPlot.AlignedData {
    const times = this.#points.map(({ at }) => at / 1000)
    return [times, ...this.#lines.map(({ value }) => this.#points.map(value))]
  }

  #size(): { width: number; height: number } {
    return { width: this.#place.clientWidth, height: HEIGHT }
  }

  #resize(): void {
    this.#chart?.setSize(this.#size())
  }

  #renew(): void {
    this.#chart?.destroy()
    if (this.#place.clientWidth === 0) return
    this.#chart = new uPlot(this.#options(), this.#data(), this.#place)
  }

  #options(): uPlot.Options {
    const isDark = matchMedia('(prefers-color-scheme: dark)').matches
    const ink = isDark ? '#a6b0ba' : '#545d68'
    const grid = { stroke: isDark ? '#353c44' : '#e3e7eb', width: 1 }
    return {
      ...this.#size(),
      legend: { live: false },
      scales: { y: { range: (_chart, _least, most) => [0, Math.max(most * 1.05, 1)] } },
      axes: [
        { stroke: ink, grid, ticks: grid, space: 90, values: (_chart, times) => times.map(clock) },
        { stroke: ink, grid, ticks: grid, size: 44 },
      ],
      series: [
        {},
        ...this.#lines.map(({ label, light, dark, dash }) => ({
          label,
          stroke: isDark ? dark : light,
          width: 2,
          points: { show: this.#points.length < 3 },
          ...(dash && { dash }),
        })),
      ],
    }
  }
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString([], { hourCycle: 'h23' })
}
