import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dryRun } from '../support/worker-bundle.ts'

/** Wrangler's own word, whatever it is about. */
const COMPLAINT = /WARNING|ERROR|▲|✘/

describe('wrangler deploy --dry-run', () => {
  it.each([
    'examples/cloudflare-workers/src/index.ts',
    'examples/everywhere/handler.ts',
    'examples/drizzle/src/index.ts',
    'examples/kysely/src/index.ts',
    'examples/supabase-rls/src/index.ts',
  ])('bundles %s without a warning', async (entry) => {
    const { output, module } = await dryRun(entry)
    expect(output).toContain('--dry-run: exiting now.')
    expect(output).not.toMatch(COMPLAINT)
    // The sockets of Workers, and none of Node's.
    expect(module).toContain('cloudflare:sockets')
    expect(module).not.toMatch(/node:(net|tls)"/)
  })

  it('bundles the gateway without a warning, by its own configuration', async () => {
    const config = 'examples/gateway/wrangler.toml'
    const { output, module } = await dryRun(undefined, config)
    expect(output).toContain('--dry-run: exiting now.')
    expect(output).not.toMatch(COMPLAINT)
    expect(output).toContain('env.GATEWAY_TARGETS')
    expect(module).toContain('cloudflare:sockets')
    expect(module).not.toMatch(/node:(net|tls)"|node_modules\/ws\//)
  })

  it('deploys the Worker example by default', async () => {
    const config = await readFile('wrangler.toml', 'utf8')
    expect(config).toMatch(/^main = "examples\/cloudflare-workers\/src\/index\.ts"$/m)
  })

  it('takes the configuration of docs/hyperdrive.md', async () => {
    const page = await readFile('docs/hyperdrive.md', 'utf8')
    const [, hyperdrive = ''] = /```toml\n# wrangler.toml\n([\s\S]*?)```/.exec(page) ?? []
    const folder = await mkdtemp(join(tmpdir(), 'nullpool-hyperdrive-'))
    try {
      const config = join(folder, 'wrangler.toml')
      const rest = 'name = "library"\ncompatibility_date = "2026-08-04"\n'
      await writeFile(config, rest + hyperdrive.replace('…', '0'.repeat(32)))
      const { output } = await dryRun(resolve('examples/everywhere/handler.ts'), config)
      expect(output).toMatch(/env\.HYPERDRIVE .*Hyperdrive Config/)
      expect(output).not.toMatch(COMPLAINT)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it('would say so if there was something to warn of', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nullpool-warning-'))
    try {
      const entry = join(folder, 'index.ts')
      await writeFile(entry, 'export default { fetch: () => new Response(), fetch: 1 }')
      expect((await dryRun(entry)).output).toMatch(COMPLAINT)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
