import { readFile } from 'node:fs/promises'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { bundleDriver, bundledLicences } from '../../build/edge-light.ts'
import { bundleForEdge } from '../support/edge-runtime.ts'
import { readManifest, root } from './built.ts'

const read = (path: string): Promise<string> => readFile(new URL(path, root), 'utf8')

describe('the build for edge-light', () => {
  it('is the same whenever it is made', async () => {
    expect(await bundleDriver()).toBe(await read('dist/drivers/postgres.edge-light.js'))
    expect(await bundledLicences()).toBe(
      await read('dist/drivers/postgres.edge-light.LICENSES.txt'),
    )
  })

  it('says whose work is inside of it, and names all of that', async () => {
    const bundle = await read('dist/drivers/postgres.edge-light.js')
    expect(bundle).toMatch(/^\/\*! .*postgres\.edge-light\.LICENSES\.txt \*\//)
    const inside = [...bundle.matchAll(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)\//gm)]
    const licences = await read('dist/drivers/postgres.edge-light.LICENSES.txt')
    const named = [
      ...licences.matchAll(/^([\w-]+) \d+\.\d+\.\d+ \((MIT|BSD-3-Clause|Unlicense)\)$/gm),
    ]
    expect(new Set(named.map(([, name]) => name))).toEqual(new Set(inside.map(([, name]) => name)))
    expect(named).toHaveLength(5)
    const { version } = JSON.parse(await read('node_modules/postgres/package.json'))
    expect(licences).toContain(`postgres ${version} (Unlicense)`)
  })

  it('makes no code of text, which the runtime forbids, and knows no sockets', async () => {
    const bundle = await read('dist/drivers/postgres.edge-light.js')
    expect(bundle).not.toMatch(/\beval\(|new Function\(|cloudflare:sockets['"]\)/)
  })

  it('is what the condition chooses, for a handler that asks for nothing of Node', async () => {
    const { imports, files } = await bundleForEdge({ file: 'examples/vercel-edge/api/edge.ts' }, [])
    expect(imports).toEqual([])
    expect(files).toContain('dist/drivers/postgres.edge-light.js')
    expect(files).toContain('dist/runtimes/vercel-edge.js')
    const others =
      /^(dist\/(transports|runtimes)\/(node|deno|cloudflare|unsupported)|node_modules\/postgres\/)/
    expect(files.filter((file) => others.test(file))).toEqual([])
  })

  it('is not chosen on Workers, where some bundlers name both conditions', async () => {
    const { metafile } = await build({
      stdin: { contents: "export * from './dist/hono.js'", resolveDir: root.pathname },
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      conditions: ['workerd', 'edge-light', 'import'],
      external: ['node:*', 'cloudflare:*', 'hono', 'hono/*'],
      absWorkingDir: root.pathname,
    })
    const files = Object.keys(metafile.inputs)
    expect(files).toContain('dist/runtimes/cloudflare.js')
    expect(files.filter((file) => /edge/.test(file))).toEqual([])
  })

  it('is part of the package, with its licences', async () => {
    const { imports } = await readManifest()
    expect(imports['#driver']).toMatchObject({
      'edge-light': './dist/drivers/postgres.edge-light.js',
    })
    const { files } = JSON.parse(await read('package.json'))
    expect(files).toContain('dist')
  })
})
