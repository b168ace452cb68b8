import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Bundles a Worker as `wrangler deploy` would, and returns the module's text. */
export async function bundleWorker(entry: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nullpool-worker-'))
  try {
    await run(
      'npx',
      ['wrangler', 'deploy', entry, '--dry-run', '--outdir', folder, '--config', 'wrangler.toml'],
      { env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: 'true' } },
    )
    const name = entry.replace(/^.*\//, '').replace(/\.ts$/, '.js')
    return await readFile(join(folder, name), 'utf8')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
