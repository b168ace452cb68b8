// Code in Vercel's own `edge-runtime`, bundled as Vercel bundles: with the condition `edge-light`.

import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { fileURLToPath } from 'node:url'
import { EdgeRuntime } from 'edge-runtime'
import { build, type Plugin } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The order in which Vercel and Next.js look, as far as it matters here. */
const CONDITIONS = ['edge-light', 'worker', 'browser', 'module', 'import']

/** What a test says about its result is the outer Node's `assert`, handed in; Vercel offers the module itself. */
const assertions: Plugin = {
  name: 'assertions',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^node:assert\/strict$/ }, ({ path }) => ({ path, namespace: 'handed-in' }))
    onLoad({ filter: /.*/, namespace: 'handed-in' }, () => ({
      contents: 'export default globalThis.testAssertions',
    }))
  },
}

/** What a bundle is, and what of the outside it asks for. */
export interface EdgeBundle {
  text: string
  /** Modules that the runtime would have to bring. */
  imports: string[]
  /** The files of this package that went into it. */
  files: string[]
}

/** Bundles a module, or its text, whose exports become `globalThis.exported`. */
export async function bundleForEdge(
  entry: { file: string } | { contents: string },
  plugins: Plugin[] = [assertions],
): Promise<EdgeBundle> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    ...('file' in entry
      ? { entryPoints: [entry.file] }
      : { stdin: { contents: entry.contents, resolveDir: root, loader: 'ts' as const } }),
    bundle: true,
    write: false,
    metafile: true,
    format: 'iife',
    globalName: 'exported',
    target: 'es2022',
    platform: 'neutral',
    mainFields: ['browser', 'module', 'main'],
    conditions: CONDITIONS,
    external: ['node:*', 'cloudflare:*'],
    plugins,
    logLevel: 'silent',
  })
  const [output] = Object.values(metafile.outputs)
  return {
    text: outputFiles[0]?.text ?? '',
    imports: (output?.imports ?? []).filter(({ external }) => external).map(({ path }) => path),
    files: Object.keys(output?.inputs ?? {}),
  }
}

/** What the platform gives beside the standards: these are globals on Vercel and in Next.js. */
export interface EdgeGlobals {
  env?: Readonly<Record<string, string>>
  /** As in a request's context. */
  waitUntil?: (promise: Promise<unknown>) => void
}

/** Starts the runtime with a bundle in it. */
export function startEdgeRuntime(
  { text }: EdgeBundle,
  { env = {}, waitUntil }: EdgeGlobals = {},
): EdgeRuntime {
  return new EdgeRuntime({
    initialCode: text,
    extend: (context) =>
      Object.assign(context, {
        AsyncLocalStorage,
        process: { env },
        testAssertions: assert,
        [Symbol.for('@vercel/request-context')]: { get: () => ({ waitUntil }) },
      }),
  })
}
