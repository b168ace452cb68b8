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
