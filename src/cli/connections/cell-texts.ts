/** A duration for people: `12 s`, `3 min`, `5 h`. */
export function duration(seconds: number | null): string {
  if (seconds === null) return ''
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 120) return `${Math.floor(seconds)} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  return `${Math.floor(seconds / 3600)} h`
}

/** A rate for people. */
export function rate(perSecond: number | null): string {
  if (perSecond === null) return '–'
  return perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond))
}
