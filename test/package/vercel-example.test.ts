import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { root } from './built.ts'

const run = promisify(execFile)
const path = (name: string): string => fileURLToPath(new URL(name, root))

/**
 * Vercel's builder compiles file by file with what `tsconfig.json` says, and leaves what does not fit as it is. Of its
 * own it adds nothing where TypeScript is older than 7.
 */
async function built(folder: string): Promise<void> {
  await cp(path('examples/vercel-edge'), folder, { recursive: true })
  const config = {
    extends: './tsconfig.json',
    compilerOptions: { noEmit: false, noCheck: true, outDir: 'out', rootDir: '.' },
    files: ['api/edge.ts', 'api/node.ts'],
  }
  await writeFile(join(folder, 'build.json'), JSON.stringify(config))
  await run(process.execPath, [path('node_modules/typescript/bin/tsc'), '-p', 'build.json'], {
    cwd: folder,
  })
}

/** `npm install hono nullpool postgres` writes no type, `npm init --yes` may write either. */
it.each(['{}', '{ "type": "commonjs" }', '{ "type": "module" }'])(
  'what Vercel’s builder makes of the example starts, beside the package.json %s',
  async (manifest) => {
    const folder = await mkdtemp(join(tmpdir(), 'nullpool-vercel-'))
    try {
      await mkdir(join(folder, 'node_modules'))
      await symlink(path('.'), join(folder, 'node_modules/nullpool'))
      await symlink(path('node_modules/hono'), join(folder, 'node_modules/hono'))
      await writeFile(join(folder, 'package.json'), manifest)
      await built(folder)
      const start = `
      for (const name of ['node', 'edge']) {
        let { default: exported } = await import('./out/api/' + name + '.js')
        if ('default' in exported) exported = exported.default
        console.log(typeof (exported.fetch ?? exported))
      }`
      const { stdout } = await run(process.execPath, ['--input-type=module', '-e', start], {
        cwd: folder,
      })
      expect(stdout).toBe('function\nfunction\n')
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)
