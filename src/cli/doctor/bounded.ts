/** What a wait ends with that has lasted too long. */
export class TooLong extends Error {
  override readonly name = 'TooLong'
}

/** The outcome of `work`, or {@link TooLong} after so many milliseconds. */
export async function bounded<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TooLong(`nothing within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([work, expired])
  } finally {
    clearTimeout(timer)
  }
}

/** Since when, in milliseconds to a tenth. */
export function since(start: number): number {
  return tenths(performance.now() - start)
}

/** To a tenth: what is behind it is noise. */
export function tenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10
}

/** The code of an error of Node, for example `ECONNREFUSED`. */
export function codeOf(error: unknown): string {
  if (error instanceof TooLong) return 'ETIMEDOUT'
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'unknown'
}
