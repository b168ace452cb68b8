import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { StartedProgram } from '../support/started-program.ts'
import { root } from './built.ts'

const run = promisify(execFile)
const path = (name: string): string => fileURLToPath(new URL(name, root))

// `npm init --yes` writes it since npm 11, and no import statement survives it in a file that ends with .ts.
it.each([
  ['everywhere', 'node.ts'],
  ['node-server', 'src/index.ts'],
  ['gateway', 'src/node.ts'],
])(
  'examples/%s starts in a project that npm has begun, as its README says',
  async (name, entry) => {
    const folder = await mkdtemp(join(tmpdir(), 'nullpool-example-'))
    try {
      await cp(path(`examples/${name}`), folder, { recursive: true })
      await writeFile(join(folder, 'package.json'), '{ "type": "commonjs" }')
      const readme = await readFile(join(folder, 'README.md'), 'utf8')
      const [, setting] = /npm pkg set ([\w=]+)/.exec(readme) ?? []
      if (setting) await run('npm', ['pkg', 'set', setting], { cwd: folder })
      await mkdir(join(folder, 'node_modules/@hono'), { recursive: true })
      await symlink(path('.'), join(folder, 'node_modules/nullpool'))
      for (const each of ['hono', '@hono/node-server', 'ws']) {
        await symlink(path(`node_modules/${each}`), join(folder, 'node_modules', each))
      }
      const environment = {
        ...{ PORT: '0', GATEWAY_TOKEN: 'x'.repeat(32), GATEWAY_TARGETS: 'db.example.com:5432' },
      }
      await using started = new StartedProgram(environment, [entry], folder)
      expect(await started.line('http://127.0.0.1:')).toMatch(/:\d+/)
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)
