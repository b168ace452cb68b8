import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { readManifest, root } from './built.ts'

/** Everything that a built module imports, by following files; `#…` is where the runtime begins. */
async function reachedFrom(entry: string): Promise<Set<string>> {
  const { reached } = await follow(entry)
  return reached
}

/** The files of this package that a built module is made of. */
async function filesFrom(entry: string): Promise<string[]> {
  const { seen } = await follow(entry)
  return [...seen]
}

async function follow(entry: string): Promise<{ reached: Set<string>; seen: Set<string> }> {
  const reached = new Set<string>()
  const queue = [new URL(entry, root).href]
  const seen = new Set(queue)
  for (let file = queue.shift(); file; file = queue.shift()) {
    const source = await readFile(new URL(file), 'utf8')
    const text = source.replace(/\/\*[\s\S]*?\*\//g, '')
    for (const [, specifier = ''] of text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
      if (!specifier.startsWith('.')) reached.add(specifier)
      const next = new URL(specifier, file).href
      if (specifier.startsWith('.') && !seen.has(next)) {
        seen.add(next)
        queue.push(next)
      }
    }
  }
  return { reached, seen }
}

describe('the import graph', () => {
  it('of the core reaches no runtime, no driver and no framework', async () => {
    const reached = await reachedFrom('dist/index.js')
    expect([...reached].sort()).toEqual(['#driver', '#runtime'])
  })

  it('of the middleware adds no import of Hono', async () => {
    const reached = await reachedFrom('dist/hono.js')
    expect([...reached].sort()).toEqual(['#driver', '#runtime'])
  })

  it('of the pool for servers that stay reaches no runtime, no driver and no framework', async () => {
    const reached = await reachedFrom('dist/stationary.js')
    expect([...reached].sort()).toEqual(['#driver', '#runtime'])
  })

  it('of a request reaches no pool', async () => {
    const files = await filesFrom('dist/hono.js')
    expect(files.filter((file) => /\/dist\/(pool\/|stationary)/.test(file))).toEqual([])
  })

  it.each(['drizzle', 'kysely'])('of the adapter for %s adds no import of it', async (name) => {
    const reached = await reachedFrom(`dist/${name}.js`)
    expect([...reached].sort()).toEqual(['#runtime'])
  })

  it('of the adapter for Neon’s driver reaches that and no module of Node', async () => {
    const reached = await reachedFrom('dist/neon.js')
    expect([...reached].sort()).toEqual(['#runtime', '@neondatabase/serverless'])
  })

  it('of nothing else reaches Neon’s driver', async () => {
    const { exports } = await readManifest()
    for (const [subpath, target] of Object.entries(exports)) {
      if (typeof target === 'string' || subpath === './neon') continue
      expect([...(await reachedFrom(target.default))], subpath).not.toContain(
        '@neondatabase/serverless',
      )
    }
  })

  it('of the gateway adds Hono and what knows addresses', async () => {
    const reached = await reachedFrom('dist/gateway/index.js')
    expect([...reached].sort()).toEqual([
      '#driver',
      '#runtime',
      'hono',
      'hono/ws',
      'ipaddr.js',
      'postgres-array',
    ])
  })

  it('of the Workers runtime reaches no net, tls or fs of Node', async () => {
    const reached = await reachedFrom('dist/runtimes/cloudflare.js')
    expect([...reached].sort()).toEqual([
      'cloudflare:sockets',
      'cloudflare:workers',
      'node:async_hooks',
    ])
  })
})

describe('the import graph for edge-light', () => {
  it('of the runtime reaches nothing outside of the package', async () => {
    expect([...(await reachedFrom('dist/runtimes/vercel-edge.js'))]).toEqual([])
  })

  it('of the driver reaches what is not of Node alone', async () => {
    const reached = await reachedFrom('dist/drivers/postgres.edge-light.js')
    expect([...reached]).toEqual(['postgres-array'])
  })
})

describe('the exports', () => {
  it('lead to files that exist and load in Node', async () => {
    const { exports } = await readManifest()
    for (const [subpath, target] of Object.entries(exports)) {
      if (typeof target === 'string') continue
      await readFile(new URL(target.types, root))
      const loaded: object = await import(new URL(target.default, root).href)
      expect(Object.keys(loaded), subpath).not.toHaveLength(0)
    }
  })

  it('of every build of the driver have the same names', async () => {
    const { imports } = await readManifest()
    for (const target of Object.values(imports['#driver'] ?? {})) {
      const loaded: object = await import(new URL(target, root).href)
      expect(Object.keys(loaded).sort(), target).toEqual(['createPoolClient', 'postgresDriver'])
      const types = await readFile(new URL(target.replace(/\.js$/, '.d.ts'), root), 'utf8')
      expect(types).toMatch(/postgresDriver|export \* from '\.\/postgres\.js'/)
    }
  })

  it('of every runtime have the same names', async () => {
    const { imports } = await readManifest()
    for (const target of Object.values(imports['#runtime'] ?? {})) {
      const types = await readFile(new URL(target.replace(/\.js$/, '.d.ts'), root), 'utf8')
      expect(types).toContain('export declare const runtime: Runtime')
    }
  })
})
