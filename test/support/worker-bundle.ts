import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What `wrangler deploy` would upload. */
export interface WorkerUpload {
  /** The text of the module. */
  module: string
  /** What Wrangler said on the way, its warnings too. */
  output: string
  /** As Wrangler counts them, compressed. */
  gzipBytes: number
}

/** Bundles a Worker as `wrangler deploy` would, by the configuration at the root, and keeps all of it here. */
export async function dryRun(entry: string, config = 'wrangler.toml'): Promise<WorkerUpload> {
  const folder = await mkdtemp(join(tmpdir(), 'nullpool-worker-'))
  try {
    const { stdout, stderr } = await run(
      'npx',
      ['wrangler', 'deploy', entry, '--dry-run', '--outdir', folder, '--config', config],
      { env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: 'true', NO_COLOR: '1' } },
    )
    const output = stdout + stderr
    const [, kibibytes] = /gzip: ([\d.]+) KiB/.exec(output) ?? []
    if (kibibytes === undefined) throw new Error(`Wrangler did not tell the size:\n${output}`)
    const module = await readFile(join(folder, basename(entry).replace(/\.ts$/, '.js')), 'utf8')
    return { module, output, gzipBytes: Number(kibibytes) * 1024 }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Bundles a Worker as `wrangler deploy` would, and returns the module's text. */
export async function bundleWorker(entry: string): Promise<string> {
  const { module } = await dryRun(entry)
  return module
}
