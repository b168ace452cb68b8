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

it('docs/connections.md explains exactly the warnings and metrics there are', async () => {
  const page = await readFile('docs/connections.md', 'utf8')
  const snapshot = await readFile('src/cli/connections/snapshot.ts', 'utf8')
  const union = snapshot.slice(
    snapshot.indexOf('WarningCode ='),
    snapshot.indexOf('/** Something to'),
  )
  const codes = [...union.matchAll(/'([a-z0-9-]+)'/g)].map(([, code]) => code)
  const warned = [...page.matchAll(/^\| `([a-z0-9]+-[a-z0-9-]+)` \|/gm)].map(([, code]) => code)
  expect(warned.sort()).toEqual(codes.sort())
  const exporter = await readFile('src/cli/connections/exporter.ts', 'utf8')
  const told = [...exporter.matchAll(/'([a-z]+(?:_[a-z]+)+)'/g)].map(
    ([, name]) => `nullpool_${name}`,
  )
  const metrics = [...page.matchAll(/`(nullpool_[a-z_]+)`/g)].map(([, name]) => name)
  const single = ['nullpool_connections', 'nullpool_warning']
  expect(new Set(metrics)).toEqual(new Set([...told, ...single]))
})
