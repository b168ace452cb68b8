import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { readManifest, root } from './built.ts'

const COMPILER_OPTIONS = {
  ...{ strict: true, noEmit: true, target: 'es2023', module: 'nodenext' },
  // Nobody has installed the types of Node, and everybody's types are looked at.
  ...{
    lib: ['es2023', 'esnext.disposable', 'dom', 'dom.iterable'],
    types: [],
    skipLibCheck: false,
  },
}

/** What docs/getting-started.md gives to those who have no types of Node. */
async function standIns(): Promise<string> {
  const page = await readFile(new URL('docs/getting-started.md', root), 'utf8')
  return /```\n(declare module 'node:stream'[\s\S]*?)```/.exec(page)?.[1] ?? ''
}

/** What the compiler says to somebody who imports every public entry. */
async function compile(files: Record<string, string> = {}): Promise<string[]> {
  const { exports } = await readManifest()
  const entries = Object.keys(exports).filter((entry) => !entry.endsWith('.json'))
  const imports = entries.map((entry, n) => {
    const name = entry.replace(/^\./, 'nullpool')
    return `import * as entry${n} from '${name}'\nexport { entry${n} }\n`
  })
  const folder = await mkdtemp(join(tmpdir(), 'nullpool-types-'))
  try {
    await mkdir(join(folder, 'node_modules'))
    await symlink(fileURLToPath(root), join(folder, 'node_modules/nullpool'))
    const all = { 'index.ts': imports.join(''), 'package.json': '{"type":"module"}', ...files }
    const sources = Object.keys(all).filter((name) => name.endsWith('.ts'))
    const config = { compilerOptions: COMPILER_OPTIONS, files: sources }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
    for (const [name, text] of Object.entries(all)) await writeFile(join(folder, name), text)
    return (await tsc(folder)).split('\n').filter((line) => line.includes('error TS'))
  } finally {
    await rm(folder, { recursive: true })
  }
}

function tsc(folder: string): Promise<string> {
  const program = fileURLToPath(new URL('node_modules/typescript/bin/tsc', root))
  return new Promise((resolve) => {
    execFile(process.execPath, [program, '-p', folder], (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })
}

describe('the types, without those of Node and with everybody’s looked at', () => {
  it('lack nothing but what postgres.js itself takes of Node', async () => {
    const errors = await compile()
    const others = errors.filter((error) => !error.includes('/postgres/types/index.d.ts('))
    expect(others).toEqual([])
    const missing = errors.map((error) => /Cannot find name '([^']+)'/.exec(error)?.[1] ?? error)
    expect([...new Set(missing)].sort()).toEqual(['Buffer', 'node:stream'])
  })

  it('lack nothing with what the documentation gives', async () => {
    expect(await compile({ 'node.d.ts': await standIns() })).toEqual([])
  })
})
