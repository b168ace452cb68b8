import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** The manifest of the package, as far as tests read it. */
export interface Manifest {
  exports: Record<string, string | { types: string; default: string }>
  imports: Record<string, string | Record<string, string>>
  version: string
}

/** The root of the repository. */
export const root: URL = new URL('../../', import.meta.url)

export async function readManifest(): Promise<Manifest> {
  return JSON.parse(await readFile(new URL('package.json', root), 'utf8')) as Manifest
}

/** Bytes of a bundle for Workers, minified and compressed as they are uploaded. */
export async function bundledBytes(source: string, external: string[] = []): Promise<number> {
  const result = await build({
    stdin: { contents: source, resolveDir: root.pathname, loader: 'js' },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker', 'import'],
    external: ['node:*', 'cloudflare:*', ...external],
    logLevel: 'silent',
  })
  return gzipSync(result.outputFiles[0]?.contents ?? new Uint8Array(), { level: 9 }).length
}
