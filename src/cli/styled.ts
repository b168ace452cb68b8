import { styleText } from 'node:util'

/** Where a text is to appear, which decides whether it may have colours. */
export type Output = 'stdout' | 'stderr'

/**
 * A text in a style, where that appears in a terminal: never in a pipe, and not under NO_COLOR.
 *
 * @see https://no-color.org
 */
export function styled(
  style: Parameters<typeof styleText>[0],
  text: string,
  output: Output = 'stdout',
): string {
  return styleText(style, text, { stream: process[output] })
}
