import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'

it('docs/errors.md explains exactly the codes of the closed list', async () => {
  const source = await readFile('src/errors.ts', 'utf8')
  const union = source.slice(0, source.indexOf('/** What {@link'))
  const codes = [...union.matchAll(/'(ERR_[A-Z_]+)'/g)].map(([, code]) => code)
  const documented = [
    ...(await readFile('docs/errors.md', 'utf8')).matchAll(/^\| `(ERR_[A-Z_]+)`/gm),
  ]
  expect(documented.map(([, code]) => code).sort()).toEqual(codes.sort())
})

it('docs/connection-strings.md explains exactly the findings of the closed list', async () => {
  const source = await readFile('src/connection-findings.ts', 'utf8')
  const union = source.slice(0, source.indexOf('/** One thing to know'))
  const codes = [...union.matchAll(/^ {2}\| '([a-z0-9-]+)'/gm)].map(([, code]) => code)
  const text = await readFile('docs/connection-strings.md', 'utf8')
  const documented = [...text.matchAll(/^\| `([a-z0-9-]+)` \| (error|warning|info) /gm)]
  expect(documented.map(([, code]) => code).sort()).toEqual(codes.sort())
})
