import { access, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readErrorCodes, writeErrorTables } from '../../build/error-tables.ts'
import { serverFailure } from '../../src/wire/server-failure.ts'
import { anchors, markdownPages, relativeLinks, tableRows } from '../support/markdown.ts'

describe('docs/errors.md', () => {
  it('is what npm run docs:errors writes', async () => {
    const page = await readFile('docs/errors.md', 'utf8')
    expect(writeErrorTables(page, await readFile('src/errors.ts', 'utf8'))).toBe(page)
  })

  it('explains exactly the codes of the closed list', async () => {
    const source = await readFile('src/errors.ts', 'utf8')
    const codes = [...source.matchAll(/^ {2}\| '(ERR_[A-Z_]+)'/gm)].map(([, code]) => code)
    expect(readErrorCodes(source).map(({ code }) => code)).toEqual(codes)
    const page = await readFile('docs/errors.md', 'utf8')
    const documented = [...page.matchAll(/^\| `(ERR_[A-Z_]+)`/gm)].map(([, code]) => code)
    expect(documented).toEqual(codes)
  })

  it('cannot be written where a code is not explained', () => {
    const source = "export type NullpoolErrorCode =\n  // Working\n  | 'ERR_NEW'\n"
    expect(() => readErrorCodes(source)).toThrow('ERR_NEW')
  })
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

describe('docs/faq.md', async () => {
  const rows = tableRows(await readFile('docs/faq.md', 'utf8'), 'what the server says')

  it.each(rows)('says of %s (%s) what nullpool makes of it', (words, sqlState, code) => {
    const fields = { severity: 'FATAL', sqlState: plain(sqlState), message: plain(words) }
    expect(serverFailure(fields, false).code).toBe(plain(code))
  })
})

describe('links between pages', async () => {
  for (const path of await markdownPages()) {
    it(`lead somewhere, from ${path}`, async () => {
      const dead: string[] = []
      for (const link of relativeLinks(await readFile(path, 'utf8'))) {
        if (!(await leadsSomewhere(path, link))) dead.push(link)
      }
      expect(dead).toEqual([])
    })
  }
})

async function leadsSomewhere(from: string, link: string): Promise<boolean> {
  const [file, anchor] = link.split('#')
  const to = file ? join(dirname(from), file) : from
  try {
    await access(to)
  } catch {
    return false
  }
  return anchor === undefined || anchors(await readFile(to, 'utf8')).has(anchor)
}

function plain(cell: string | undefined): string {
  return (cell ?? '').replaceAll('`', '')
}
