import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROUND_TRIPS } from '../../src/cli/doctor/round-trip-figures.ts'

it('the round trips of the doctor are those of docs/round-trips.md', async () => {
  const text = await readFile('docs/round-trips.md', 'utf8')
  const [, clear = '', tls = ''] = text.split(/^## .*$/m)
  for (const [figures, table] of [
    [ROUND_TRIPS.clear, clear],
    [ROUND_TRIPS.tls, tls],
  ] as const) {
    const rows = table
      .trim()
      .split('\n')
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      )
    const [titles = []] = rows
    for (const [shape, expected] of Object.entries(figures)) {
      const row = rows.find(([name]) => name === shape) ?? []
      const documented = titles.flatMap((title, column) =>
        title.startsWith('`') ? [[title.slice(1, -1), Number(row[column])]] : [],
      )
      expect(Object.fromEntries(documented), shape).toEqual(expected)
    }
  }
})

it('docs/doctor.md explains exactly the codes that the doctor has of its own', async () => {
  const folder = 'src/cli/doctor'
  const files = (await readdir(folder)).map((file) => readFile(join(folder, file), 'utf8'))
  const sources = (await Promise.all(files)).join('\n')
  const codes = [...sources.matchAll(/code:[^\n]*/g)].flatMap(([line]) =>
    [...line.matchAll(/'([a-z][a-z0-9]*(?:-[a-z0-9]+)+)'/g)].map(([, code]) => code),
  )
  const logins = ['login-trust', 'login-password', 'login-md5']
  const text = await readFile('docs/doctor.md', 'utf8')
  const documented = [...text.matchAll(/^\| `([a-z0-9-]+)` \| (?:error|warning|info)/gm)]
  const expected = [...new Set([...codes, ...logins, 'unexpected'])]
  expect(documented.map(([, code]) => code).sort()).toEqual(expected.sort())
})
