// Writes dist/cli/connections-page/: the page of `nullpool connections --web`, with its charts inside of it.

import { copyFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { licencesOf } from './bundled-licences.ts'

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))
const source = 'src/cli/connections/web/page'

const { metafile } = await build({
  absWorkingDir: at('.'),
  metafile: true,
  entryPoints: { page: `${source}/page.ts` },
  outdir: at('dist/cli/connections-page'),
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  legalComments: 'linked',
  logLevel: 'warning',
})
await build({
  absWorkingDir: at('.'),
  stdin: {
    contents: `@import 'uplot/dist/uPlot.min.css'; @import './${source}/page.css';`,
    resolveDir: at('.'),
    loader: 'css',
  },
  outfile: at('dist/cli/connections-page/page.css'),
  bundle: true,
  logLevel: 'warning',
})
await copyFile(at(`${source}/index.html`), at('dist/cli/connections-page/index.html'))
await writeFile(at('dist/cli/connections-page/LICENSES.txt'), await licencesOf(metafile))
