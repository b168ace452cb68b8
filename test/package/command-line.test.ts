import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { root } from './built.ts'

const read = (path: string): Promise<string> => readFile(new URL(path, root), 'utf8')

describe('the bundle of the command line', () => {
  it('comes with the licences of everything that is inside of it', async () => {
    const files = (await readdir(new URL('dist/cli/', root))).filter((name) => name.endsWith('.js'))
    const texts = await Promise.all(files.map((name) => read(`dist/cli/${name}`)))
    const bundle = texts.join('\n')
    const inside = [...bundle.matchAll(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)\//gm)]
    const names = new Set(inside.map(([, name]) => name))
    expect(names.size).toBeGreaterThan(3)
    const licences = await read('dist/cli/nullpool.LICENSES.txt')
    for (const name of names)
      expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'))
  })

  it('has the page beside it, whose charts have theirs', async () => {
    expect(await read('dist/cli/connections-page/index.html')).toContain('<title>Connections')
    expect(await read('dist/cli/connections-page/LICENSES.txt')).toMatch(/^uplot \d.*\(MIT\)/)
    expect(await read('dist/cli/connections-page/page.js')).not.toMatch(
      /https?:\/\/(?!www\.w3\.org)/,
    )
  })
})
