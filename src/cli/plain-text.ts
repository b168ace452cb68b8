/** Names of Postgres have 63 bytes at the most; other texts are cut. */
const MAX_LENGTH = 64

/** What moves a cursor, rings a bell, or turns the direction of writing around. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/**
 * A text of a server as a terminal and a page can show it: one line, bounded, and nothing that a terminal obeys.
 *
 * A role can be called anything, and an application calls itself what it likes.
 */
export function plainText(value: unknown, maxLength: number = MAX_LENGTH): string {
  const text = typeof value === 'string' ? value : String(value ?? '')
  // Cut first: what follows looks at every character.
  const cut = text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text
  return cut.replace(UNPRINTABLE, '·')
}

/** A number of a server; what is none is nothing. */
export function plainNumber(value: unknown): number {
  const number = Number(value)
  return Number.isFinite(number) && number > 0 ? number : 0
}
