// Writes dist/drivers/postgres.edge-light.js: the driver with postgres.js and what it takes of Node inside of
// it, for runtimes that have neither. It is the one place where this package runs a bundler.

import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const root = new URL('../', import.meta.url)
const at = (path: string): string => fileURLToPath(new URL(path, root))

const INLINED = ['postgres', 'buffer', 'base64-js', 'ieee754', 'events'] as const

/** postgres.js names its licence in its package.json alone. */
const UNLICENSE =
  'This is free and unencumbered software released into the public domain: https://unlicense.org\n'

const replacements: Plugin = {
  name: 'replacements',
  setup({ onLoad, onResolve, resolve }) {
    // There is one class of errors in the package.
    onResolve({ filter: /^\.\.\/errors\.js$/ }, ({ path }) => ({ path, external: true }))
    onResolve({ filter: /^postgres-array$/ }, ({ path }) => ({ path, external: true }))
    onResolve({ filter: /^node:stream$/ }, () => ({ path: at('build/edge-light-stream.js') }))
    // With a slash it is the package, and not Node's own.
    onResolve({ filter: /^node:(buffer|events)$/ }, ({ path, kind }) =>
      resolve(`${path.slice('node:'.length)}/`, { kind, resolveDir: at('.') }),
    )
    // Only a client that opens its own sockets asks for it; ours are handed to it.
    onResolve({ filter: /^cloudflare:sockets$/ }, ({ path }) => ({ path, namespace: 'absent' }))
    onLoad({ filter: /.*/, namespace: 'absent' }, () => ({
      contents: "export const connect = () => { throw new Error('There are no sockets here.') }",
    }))
  },
}

/** The text of the bundle; the same text for the same versions. Needs the output of `tsc`. */
export async function bundleDriver(): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: at('.'),
    entryPoints: ['dist/drivers/postgres.js'],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    // postgres.js for Workers asks less of Node than the others do.
    conditions: ['workerd', 'import'],
    legalComments: 'inline',
    banner: { js: '/*! What is inside, and its licences: postgres.edge-light.LICENSES.txt */' },
    plugins: [replacements],
    logLevel: 'warning',
  })
  const [output] = outputFiles
  if (!output) throw new Error('The bundler wrote nothing.')
  return output.text
}

/** The licences of everything that is inside of the bundle. */
export async function bundledLicences(): Promise<string> {
  const notices = INLINED.map(async (name) => {
    const manifest = JSON.parse(await readFile(at(`node_modules/${name}/package.json`), 'utf8'))
    const notice =
      name === 'postgres' ? UNLICENSE : await readFile(at(`node_modules/${name}/LICENSE`), 'utf8')
    return `${name} ${manifest.version} (${manifest.license})\n\n${notice.trim()}\n`
  })
  return (await Promise.all(notices)).join(`\n${'-'.repeat(78)}\n\n`)
}

if (import.meta.main) {
  const file = at('dist/drivers/postgres.edge-light')
  await writeFile(`${file}.js`, await bundleDriver())
  await writeFile(`${file}.d.ts`, "export * from './postgres.js'\n")
  await writeFile(`${file}.LICENSES.txt`, await bundledLicences())
}
