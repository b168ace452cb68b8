import type { Setting } from './wire/prologue.ts'

type Named = readonly [name: string, value: unknown]

/**
 * A text that identities have in common which are for the same somebody, in whatever order claims and settings
 * were given.
 */
export function identityKey(settings: readonly Setting[]): string {
  const named = settings.map(([name, value]): Named => [name.toLowerCase(), canonical(name, value)])
  return JSON.stringify(named.sort(byName))
}

/** Only the claims are JSON, which somebody here has written. */
function canonical(name: string, value: string): string {
  return name === 'request.jwt.claims' ? JSON.stringify(JSON.parse(value), inOrder) : value
}

/** Lists keep their order, which means something. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(byName))
}

function byName([one]: Named, [other]: Named): number {
  return one < other ? -1 : Number(one > other)
}
