import type { NullpoolEvent } from './options.ts'

/** The codes that this process, or this isolate, has written. */
const written = new Set<string>()

/**
 * Writes a warning that nobody listens to, once for each code. What the server says has a SQLSTATE and stays
 * unsaid: its notices can quote rows, and there is no end to them.
 */
export function warnOnConsole(event: NullpoolEvent): void {
  if (event.type !== 'warning' || event.code.length === 5 || written.has(event.code)) return
  written.add(event.code)
  // biome-ignore lint/suspicious/noConsole: whoever listens has onEvent
  console.warn(`nullpool: ${event.message} (${event.code})`)
}
