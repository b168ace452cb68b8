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

const WORKERS = ['workerd', 'worker', 'import']

/** Bytes of a bundle, for Workers unless told, minified and compressed as they are uploaded. */
export async function bundledBytes(
  source: string,
  external: string[] = [],
  conditions: string[] = WORKERS,
): Promise<number> {
  const text = await bundledText(source, external, conditions)
  return gzipSync(text, { level: 9 }).length
}

/** A bundle, for Workers unless told, minified. */
export async function bundledText(
  source: string,
  external: string[] = [],
  conditions: string[] = WORKERS,
): Promise<string> {
  const result = await build({
    stdin: { contents: source, resolveDir: root.pathname, loader: 'js' },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    conditions,
    external: ['node:*', 'cloudflare:*', ...external],
    logLevel: 'silent',
  })
  return result.outputFiles[0]?.text ?? ''
}
